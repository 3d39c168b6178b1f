package dev.darkbloom.agent.content;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/**
 * The text of one request: a growing off-heap buffer that is zeroed before it is freed.
 *
 * <p>Owned by the request. One thread writes at a time and hands over by a happens-before edge (the event loop that received a body, then
 * the request's own thread); after that any thread may read until {@link #close}. Content from {@link #confined} belongs to the thread that
 * made it, which spares closing a shared arena. Growing moves the bytes and zeroes the old place, so a view from {@link #segment} is valid
 * until the next append. After {@link #close} every access is an {@link IllegalStateException}.
 */
public final class Content implements AutoCloseable {
    private static final LongAdder OPEN = new LongAdder();

    private final AtomicBoolean closed = new AtomicBoolean();
    private final Supplier<Arena> arenas;
    private Arena arena;
    private MemorySegment buffer;
    private long length;

    /** Takes an arena at once, and another one in its place whenever it grows. */
    Content(long capacity, Supplier<Arena> arenas) {
        this.arenas = arenas;
        arena = arenas.get();
        buffer = arena.allocate(Math.max(capacity, 16), 16);
        OPEN.increment();
    }

    /** Returns how many contents of this process are not closed yet: 0 when no request runs. */
    public static long openCount() {
        return OPEN.sum();
    }

    /** Returns empty content with room for {@code capacity} bytes, for use by any thread. */
    public static Content allocate(long capacity) {
        return new Content(capacity, Arena::ofShared);
    }

    /** Returns empty content with room for {@code capacity} bytes, which only the calling thread may use and close. */
    public static Content confined(long capacity) {
        return new Content(capacity, Arena::ofConfined);
    }

    /** Returns a view of the bytes written so far; valid until the next append or {@link #close}. */
    public MemorySegment segment() {
        return buffer.asSlice(0, length);
    }

    /** Returns a view of one slice; valid until the next append or {@link #close}. */
    public MemorySegment segment(Slice slice) {
        return segment().asSlice(slice.offset(), slice.length());
    }

    /**
     * Returns the whole buffer, of which the first {@link #length} bytes count; valid until an append makes it grow. Spares the hot path
     * the view that {@link #segment} makes.
     */
    public MemorySegment buffer() {
        return buffer;
    }

    /** Returns the bytes written so far. */
    public long length() {
        return length;
    }

    /** Appends all of {@code source}. */
    public void append(MemorySegment source) {
        append(source, 0, source.byteSize());
    }

    /** Appends {@code size} bytes of {@code source} from {@code offset} on. */
    public void append(MemorySegment source, long offset, long size) {
        reserve(size);
        MemorySegment.copy(source, offset, buffer, length, size);
        length += size;
    }

    /** Appends one byte. */
    public void append(byte value) {
        reserve(1);
        buffer.set(ValueLayout.JAVA_BYTE, length, value);
        length++;
    }

    /** Appends one {@code int} in native order, for arrays of tokens. */
    public void appendInt(int value) {
        reserve(4);
        buffer.set(ValueLayout.JAVA_INT_UNALIGNED, length, value);
        length += 4;
    }

    /** Appends one {@code float} in native order. */
    public void appendFloat(float value) {
        appendInt(Float.floatToRawIntBits(value));
    }

    /** Appends text of our own: ASCII literals and names, never content. */
    public void appendAscii(String text) {
        int size = text.length();
        reserve(size);
        for (int i = 0; i < size; i++) {
            buffer.set(ValueLayout.JAVA_BYTE, length + i, (byte) text.charAt(i));
        }
        length += size;
    }

    /** Appends {@code size} zero bytes, to be written through {@link #segment}. */
    public void appendZeros(long size) {
        reserve(size);
        buffer.asSlice(length, size).fill((byte) 0);
        length += size;
    }

    /**
     * Makes {@code size} more bytes count as written and returns where they begin. They hold what lay there before, so the caller writes
     * all of them through {@link #buffer}, or takes them back by {@link #truncate}.
     */
    public long extend(long size) {
        if (size < 0) {
            throw new IllegalArgumentException("extend by " + size + " bytes");
        }
        reserve(size);
        long start = length;
        length += size;
        return start;
    }

    /** Forgets everything behind the first {@code size} bytes; they stay in the buffer until overwritten or closed. */
    public void truncate(long size) {
        if (size < 0 || size > length) {
            throw new IllegalArgumentException("truncate " + length + " bytes to " + size);
        }
        length = size;
    }

    /** Forgets everything; the bytes stay in the buffer until overwritten or closed. */
    public void clear() {
        length = 0;
    }

    /** Forgets the first {@code size} bytes and moves the rest to the front. */
    public void dropFirst(long size) {
        if (size < 0 || size > length) {
            throw new IllegalArgumentException("drop " + size + " of " + length + " bytes");
        }
        if (size > 0) {
            length -= size;
            MemorySegment.copy(buffer, size, buffer, 0, length);
        }
    }

    private void reserve(long more) {
        long needed = Math.addExact(length, more);
        if (needed <= buffer.byteSize()) {
            return;
        }
        if (closed.get()) {
            throw new IllegalStateException("content is closed");
        }
        var grown = arenas.get();
        MemorySegment larger = grown.allocate(Math.max(needed, buffer.byteSize() * 2), 16);
        MemorySegment.copy(buffer, 0, larger, 0, length);
        buffer.fill((byte) 0);
        arena.close();
        arena = grown;
        buffer = larger;
    }

    /** Zeroes and frees the bytes. A second call does nothing. */
    @Override
    public void close() {
        if (closed.get()) {
            return;
        }
        buffer.fill((byte) 0); // a foreign thread fails here, before anything is marked
        if (closed.compareAndSet(false, true)) {
            arena.close();
            OPEN.decrement();
        }
    }

    @Override
    public String toString() {
        return "Content[bytes=" + length + "]";
    }
}
