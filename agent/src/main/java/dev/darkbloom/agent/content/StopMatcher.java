package dev.darkbloom.agent.content;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Finds stop strings in a growing answer and holds back the text that may still become one.
 *
 * <p>The stop string that is complete first wins; of several that end at the same byte the longest does. Text is released as soon as no
 * stop string can begin in it. Each stop string has its own failure table (Knuth, Morris and Pratt), so a byte costs a few steps for each
 * string whatever the text; what is held is at most the longest stop string less one byte. Stop strings and held text lie outside the
 * heap. One thread at a time; allocates nothing after that.
 */
public final class StopMatcher implements AutoCloseable {
    /** Most stop strings in one request. */
    public static final int MAX_STRINGS = 64;
    /** Most bytes of one stop string. */
    public static final int MAX_BYTES = 4096;

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    private final Content strings;   // all stop strings, one after the other
    private final Content failures;  // int32 per byte of strings: longest border of the prefix that ends there
    private final Content held;
    private final int[] starts;      // where each string begins; lengths and positions are no content
    private final int[] matched;     // bytes of each string that the text's end matches
    private int found = -1;

    private StopMatcher(List<MemorySegment> stops, LongFunction<Content> memory) {
        strings = memory.apply(64);
        failures = memory.apply(256);
        held = memory.apply(64);
        starts = new int[stops.size() + 1];
        matched = new int[stops.size()];
        for (int i = 0; i < stops.size(); i++) {
            strings.append(stops.get(i));
            starts[i + 1] = (int) strings.length();
            buildFailures(starts[i], starts[i + 1] - starts[i]);
        }
    }

    /**
     * Returns a matcher for copies of {@code stops}.
     *
     * @param stops non-empty UTF-8 texts, borrowed; at most {@link #MAX_STRINGS} of at most {@link #MAX_BYTES}
     */
    public static StopMatcher of(List<MemorySegment> stops) {
        return of(stops, Content::confined);
    }

    /** As {@link #of(List)}, in {@code memory}, for any thread. */
    public static StopMatcher of(List<MemorySegment> stops, ContentArena memory) {
        return of(stops, memory::content);
    }

    private static StopMatcher of(List<MemorySegment> stops, LongFunction<Content> memory) {
        if (stops.size() > MAX_STRINGS) {
            throw new IllegalArgumentException(stops.size() + " stop strings");
        }
        for (MemorySegment stop : stops) {
            if (stop.byteSize() < 1 || stop.byteSize() > MAX_BYTES) {
                throw new IllegalArgumentException("stop string of " + stop.byteSize() + " bytes");
            }
        }
        return new StopMatcher(stops, memory);
    }

    /**
     * Adds text and appends to {@code out} what can be released.
     *
     * @return whether a stop string is complete; the text before it has been released then, and nothing more must be added
     */
    public boolean add(MemorySegment text, long offset, long size, Content out) {
        if (found >= 0) {
            throw new IllegalStateException("text after a stop string");
        }
        if (matched.length == 0) {
            out.append(text, offset, size);
            return false;
        }
        for (long i = 0; i < size; i++) {
            int stop = step(text.get(BYTE, offset + i));
            if (stop >= 0) {
                found = stop;
                long kept = held.length() + i + 1 - (starts[stop + 1] - starts[stop]);
                release(text, offset, kept, out);
                held.clear();
                return true;
            }
        }
        int mayBegin = 0;
        for (int length : matched) {
            mayBegin = Math.max(mayBegin, length);
        }
        long kept = held.length() + size - mayBegin;
        long before = held.length();
        release(text, offset, kept, out);
        if (kept >= before) {
            held.clear();
            held.append(text, offset + kept - before, size - (kept - before));
        } else {
            held.dropFirst(kept);
            held.append(text, offset, size);
        }
        return false;
    }

    /** Releases what is held, at the end of an answer that no stop string has ended. */
    public void flush(Content out) {
        out.append(held.buffer(), 0, held.length());
        held.clear();
        Arrays.fill(matched, 0);
    }

    /** Returns how many stop strings there are. */
    public int count() {
        return matched.length;
    }

    /** Returns the bytes held back. */
    public long heldBytes() {
        return held.length();
    }

    /** Returns which stop string was found, by its place in the list; -1 for none. */
    public int found() {
        return found;
    }

    /** Returns a stop string by its place in the list: a view, valid until {@link #close}. */
    public MemorySegment string(int stop) {
        return strings.buffer().asSlice(starts[stop], starts[stop + 1] - starts[stop]);
    }

    /** Appends the first {@code size} bytes of held text and new text. */
    private void release(MemorySegment text, long offset, long size, Content out) {
        long old = Math.min(size, held.length());
        out.append(held.buffer(), 0, old);
        out.append(text, offset, size - old);
    }

    /** Returns the longest stop string that this byte completes, or -1. */
    private int step(byte b) {
        MemorySegment bytes = strings.buffer();
        MemorySegment borders = failures.buffer();
        int best = -1;
        for (int s = 0; s < matched.length; s++) {
            int start = starts[s];
            int length = matched[s];
            while (length > 0 && bytes.get(BYTE, start + length) != b) {
                length = borders.get(INT, 4L * (start + length - 1));
            }
            if (bytes.get(BYTE, start + length) == b) {
                length++;
            }
            matched[s] = length;
            if (length == starts[s + 1] - start && (best < 0 || length > starts[best + 1] - starts[best])) {
                best = s;
            }
        }
        return best;
    }

    private void buildFailures(int start, int length) {
        MemorySegment bytes = strings.buffer();
        failures.appendInt(0);
        int border = 0;
        for (int i = 1; i < length; i++) {
            byte b = bytes.get(BYTE, start + i);
            while (border > 0 && bytes.get(BYTE, start + border) != b) {
                border = failures.buffer().get(INT, 4L * (start + border - 1));
            }
            if (bytes.get(BYTE, start + border) == b) {
                border++;
            }
            failures.appendInt(border);
        }
    }

    @Override
    public void close() {
        strings.close();
        failures.close();
        held.close();
    }

    @Override
    public String toString() {
        return "StopMatcher[strings=" + matched.length + "]";
    }
}
