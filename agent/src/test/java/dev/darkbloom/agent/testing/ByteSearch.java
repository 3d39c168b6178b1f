package dev.darkbloom.agent.testing;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Looks for words in files and in the memory of processes, in every form in which a program may hold or write them: UTF-8, Latin-1, UTF-16 and
 * UTF-32 of both orders, JSON's escapes, and base64 whatever stands before.
 *
 * <p>All forms are looked for in one pass that skips most bytes (Wu and Manber's search, by blocks of two bytes). One thread at a time.
 */
public final class ByteSearch {
    private static final int CHUNK = 1 << 20;
    private static final int PAGE = 4096;
    private static final int BLOCKS = 1 << 16;

    private final List<Form> forms = new ArrayList<>();
    private final byte[] skips = new byte[BLOCKS]; // how far the window may move by the two bytes that it ends with
    private final int window;                      // bytes of the shortest form
    private final int longest;

    /** A sequence of bytes and what it is called in a result. */
    private record Form(String name, byte[] bytes) {}

    /** Memory from one address up to another, both multiples of a page; {@code name} says what it is. */
    private record Run(long from, long to, String name) {}

    /** Is told where a page could not be read. */
    private interface Unread {
        void at(long place) throws IOException;
    }

    /**
     * What a process's memory holds.
     *
     * @param found places by form; those of a word's UTF-8 stand under the word itself
     * @param bytes how much was looked at
     * @param unread pages that are there and that the system lets nobody read
     */
    public record Memory(Map<String, List<String>> found, long bytes, List<String> unread) {}

    /** Returns a search for {@code words}, of at least eight letters of Latin-1 each that JSON need not escape. */
    public ByteSearch(String... words) {
        for (String word : words) {
            byte[] utf8 = word.getBytes(StandardCharsets.UTF_8);
            byte[] latin1 = word.getBytes(StandardCharsets.ISO_8859_1);
            if (word.length() < 8 || !new String(latin1, StandardCharsets.ISO_8859_1).equals(word)) {
                throw new IllegalArgumentException("a word of eight letters of Latin-1, not " + word);
            }
            forms.add(new Form(word, utf8));
            forms.add(new Form(word + " (UTF-16)", spaced(latin1, 2)));
            forms.add(new Form(word + " (UTF-32)", spaced(latin1, 4)));
            for (String format : List.of("\\u%04x", "\\u%04X")) {
                forms.add(new Form(word + " (" + format + ")", escaped(word, format, 0)));
            }
            if (utf8.length > latin1.length) { // otherwise these are UTF-8's own
                forms.add(new Form(word + " (Latin-1)", latin1));
                forms.add(new Form(word + " (ASCII and \\u)", escaped(word, "\\u%04x", 128)));
            }
            for (int before = 0; before < 3; before++) {
                forms.add(new Form(word + " (base64, " + before + ")", base64(utf8, before)));
            }
        }
        window = forms.stream().mapToInt(form -> form.bytes().length).min().orElseThrow();
        longest = forms.stream().mapToInt(form -> form.bytes().length).max().orElseThrow();
        Arrays.fill(skips, (byte) (window - 1));
        for (Form form : forms) {
            for (int end = 1; end < window; end++) {
                int block = block(form.bytes(), end);
                skips[block] = (byte) Math.min(skips[block], window - 1 - end);
            }
        }
    }

    /** Returns each byte with zeros between, as both byte orders have them. */
    private static byte[] spaced(byte[] bytes, int width) {
        var wide = new byte[(bytes.length - 1) * width + 1];
        for (int i = 0; i < bytes.length; i++) {
            wide[i * width] = bytes[i];
        }
        return wide;
    }

    /** Returns a word with letters from {@code from} on escaped. */
    private static byte[] escaped(String word, String format, int from) {
        var escaped = new StringBuilder();
        word.chars().forEach(letter -> escaped.append(letter < from ? Character.toString(letter) : format.formatted(letter)));
        return escaped.toString().getBytes(StandardCharsets.US_ASCII);
    }

    /** Returns the letters that depend on nothing but {@code bytes} when {@code before} bytes, and any multiple of three, precede. */
    private static byte[] base64(byte[] bytes, int before) {
        var shifted = new byte[before + bytes.length];
        System.arraycopy(bytes, 0, shifted, before, bytes.length);
        byte[] letters = Base64.getEncoder().withoutPadding().encode(shifted);
        int from = before == 0 ? 0 : before + 1; // one byte reaches into two letters, two into three
        int to = shifted.length * 8 / 6;
        return Arrays.copyOfRange(letters, from, to);
    }

    private static int block(byte[] bytes, int end) {
        return (bytes[end - 1] & 0xff) << 8 | bytes[end] & 0xff;
    }

    /** Returns where {@code file} holds which form. */
    public Map<String, List<String>> inFile(Path file) throws IOException {
        var found = new TreeMap<String, List<String>>();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            look(channel, new Run(0, channel.size(), file.getFileName().toString()), found, _ -> { });
        }
        return found;
    }

    /** Returns where {@code text} holds which form. */
    public Map<String, List<String>> inText(String text) {
        var found = new TreeMap<String, List<String>>();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        look(bytes, bytes.length, 0, 0, "text", found);
        return found;
    }

    /**
     * Looks at all memory of a Linux process, whatever it may do with it itself: heaps, stacks, code, files that are mapped, and what is
     * closed to the process but still there. Left out are pages that do not exist, which nothing was ever written to.
     */
    public Memory inProcess(long pid) throws IOException {
        var found = new TreeMap<String, List<String>>();
        var unread = new ArrayList<String>();
        long bytes = 0;
        try (FileChannel memory = FileChannel.open(Path.of("/proc/" + pid + "/mem"), StandardOpenOption.READ);
                var pages = new RandomAccessFile("/proc/" + pid + "/pagemap", "r")) {
            for (Run run : runs(pid, pages)) {
                bytes += look(memory, run, found, place -> {
                    if (isPresent(pages, place)) {
                        unread.add(Long.toHexString(place) + " of " + run.name());
                    }
                });
            }
        }
        return new Memory(found, bytes, List.copyOf(unread));
    }

    private static List<Run> runs(long pid, RandomAccessFile pages) throws IOException {
        var runs = new ArrayList<Run>();
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/maps"))) {
            String[] columns = line.split("\\s+", 6);
            String[] range = columns[0].split("-");
            long from = Long.parseUnsignedLong(range[0], 16);
            long to = Long.parseUnsignedLong(range[1], 16);
            String name = columns[5].isEmpty() ? "anonymous " + columns[1] : columns[5] + " " + columns[1];
            boolean isAnonymous = columns[4].equals("0");
            if (from < 0) {
                continue; // vsyscall: a page of code in the kernel's half of the addresses, the same for every process
            }
            if (isAnonymous) {
                addPresent(pages, from, to, name, runs);
            } else {
                add(runs, new Run(from, to, name));
            }
        }
        return runs;
    }

    /** Returns whether a page is in memory or swapped out: bits 63 and 62 of its entry (Linux, admin-guide/mm/pagemap). */
    private static boolean isPresent(long entry) {
        return entry >>> 62 != 0;
    }

    /** A page may have gone since the look began, as a thread's stack does, or lie behind the end of its file. */
    private static boolean isPresent(RandomAccessFile pages, long place) throws IOException {
        var entry = new byte[Long.BYTES];
        pages.seek(place / PAGE * Long.BYTES);
        return pages.read(entry) == Long.BYTES && isPresent(ByteBuffer.wrap(entry).order(ByteOrder.LITTLE_ENDIAN).getLong());
    }

    /** Adds the pages of a mapping that are there. */
    private static void addPresent(RandomAccessFile pages, long from, long to, String name, List<Run> runs) throws IOException {
        var entries = new byte[(int) Math.min((to - from) / PAGE * Long.BYTES, CHUNK)];
        for (long at = from; at < to;) {
            int size = (int) Math.min((to - at) / PAGE * Long.BYTES, entries.length);
            pages.seek(at / PAGE * Long.BYTES);
            pages.readFully(entries, 0, size);
            ByteBuffer buffer = ByteBuffer.wrap(entries, 0, size).order(ByteOrder.LITTLE_ENDIAN);
            for (; buffer.hasRemaining(); at += PAGE) {
                if (isPresent(buffer.getLong())) {
                    add(runs, new Run(at, at + PAGE, name));
                }
            }
        }
    }

    /** Adds a run, to the last one where it goes on from there: a word may lie across. */
    private static void add(List<Run> runs, Run next) {
        Run last = runs.isEmpty() ? null : runs.getLast();
        boolean isKernels = next.name().startsWith("[v") || last != null && last.name().startsWith("[v");
        if (last != null && last.to() == next.from() && !isKernels) {
            runs.set(runs.size() - 1, new Run(last.from(), next.to(), last.name()));
        } else {
            runs.add(next);
        }
    }

    /** Looks at a run and returns how many bytes could be read. */
    private long look(FileChannel source, Run run, Map<String, List<String>> found, Unread unread) throws IOException {
        var buffer = new byte[CHUNK + longest];
        long bytes = 0;
        int kept = 0;
        for (long at = run.from(); at < run.to();) {
            int wanted = (int) Math.min(CHUNK, run.to() - at);
            int read;
            try {
                read = source.read(ByteBuffer.wrap(buffer, kept, wanted), at);
            } catch (IOException e) {
                read = -1;
            }
            if (read <= 0) {
                unread.at(at);
                at = (at / PAGE + 1) * PAGE; // one page, not what follows it
                kept = 0;
                continue;
            }
            int filled = kept + read;
            look(buffer, filled, kept, at - kept, run.name(), found);
            kept = Math.min(filled, longest - 1);
            System.arraycopy(buffer, filled - kept, buffer, 0, kept);
            at += read;
            bytes += read;
        }
        return bytes;
    }

    /** Finds what ends behind the first {@code seen} bytes, which were looked at before. */
    private void look(byte[] bytes, int filled, int seen, long address, String name, Map<String, List<String>> found) {
        // A form that ends behind what was seen may be longer than the window, which stands at its beginning.
        for (int end = window - 1; end < filled;) {
            int skip = skips[block(bytes, end)];
            if (skip > 0) {
                end += skip;
                continue;
            }
            int start = end - window + 1;
            for (Form form : forms) {
                byte[] wanted = form.bytes();
                int to = start + wanted.length;
                if (to > seen && to <= filled && Arrays.equals(bytes, start, to, wanted, 0, wanted.length)) {
                    found.computeIfAbsent(form.name(), _ -> new ArrayList<>()).add(Long.toHexString(address + start) + " of " + name);
                }
            }
            end++;
        }
    }
}
