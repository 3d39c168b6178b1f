package dev.darkbloom.agent.testing;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;

/** Counts a sequence of bytes in files and in the memory of processes. */
public final class ByteSearch {
    private static final int CHUNK = 1 << 20;

    private ByteSearch() {}

    /** Returns how often {@code wanted} stands in {@code file}. */
    public static long countInFile(Path file, byte[] wanted) throws IOException {
        try (var opened = new RandomAccessFile(file.toFile(), "r")) {
            return count(opened, 0, opened.length(), wanted);
        }
    }

    /** Returns how often {@code wanted} stands in the memory that a Linux process can write: heaps, stacks, data, native allocations. */
    public static long countInProcess(long pid, byte[] wanted) throws IOException {
        long hits = 0;
        try (var memory = new RandomAccessFile("/proc/" + pid + "/mem", "r")) {
            for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/maps"))) {
                String[] columns = line.split("\\s+", 6);
                if (columns[1].charAt(0) != 'r' || columns[1].charAt(1) != 'w') {
                    continue;
                }
                String[] range = columns[0].split("-");
                hits += count(memory, Long.parseUnsignedLong(range[0], 16), Long.parseUnsignedLong(range[1], 16), wanted);
            }
        }
        return hits;
    }

    private static long count(RandomAccessFile file, long from, long to, byte[] wanted) throws IOException {
        var buffer = new byte[CHUNK + wanted.length - 1];
        long hits = 0;
        long at = from;
        int kept = 0;
        while (at < to) {
            file.seek(at);
            int read;
            try {
                read = file.read(buffer, kept, (int) Math.min(CHUNK, to - at));
            } catch (IOException e) {
                return hits; // a mapping that went away, or one that has no pages to read
            }
            if (read < 0) {
                return hits;
            }
            int filled = kept + read;
            hits += count(buffer, filled, wanted);
            kept = Math.min(filled, wanted.length - 1);
            System.arraycopy(buffer, filled - kept, buffer, 0, kept);
            at += read;
        }
        return hits;
    }

    private static long count(byte[] buffer, int filled, byte[] wanted) {
        long hits = 0;
        int last = filled - wanted.length;
        for (int i = 0; i <= last; i++) {
            int k = 0;
            while (k < wanted.length && buffer[i + k] == wanted[k]) {
                k++;
            }
            if (k == wanted.length) {
                hits++;
            }
        }
        return hits;
    }
}
