package dev.darkbloom.agent.content;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The text of one request: a growing off-heap buffer that is zeroed before it is freed.
 *
 * <p>Owned by the request. One thread writes at a time and hands over by a happens-before edge (the event loop that received a body, then
 * the request's own thread); after that any thread may read until {@link #close}. Growing moves the bytes and zeroes the old place, so a
 * view from {@link #segment} is valid until the next append.
 */
public final class Content implements AutoCloseable {
    private final AtomicBoolean closed = new AtomicBoolean();
    private Arena arena;
    private MemorySegment buffer;
    private long length;

    private Content(long capacity) {
        arena = Arena.ofShared();
        buffer = arena.allocate(Math.max(capacity, 16), 16);
    }

    /** Returns empty content with room for {@code capacity} bytes. */
    public static Content allocate(long capacity) {
        return new Content(capacity);
    }

    /** Returns a view of the bytes written so far; valid until the next append or {@link #close}. */
    public MemorySegment segment() {
        return buffer.asSlice(0, length);
    }

    /** Returns a view of one slice; valid until the next append or {@link #close}. */
    public MemorySegment segment(Slice slice) {
        return buffer.asSlice(slice.offset(), slice.length());
    }

    /** Returns the bytes written so far. */
    public long length() {
        return length;
    }

    /** Appends all of {@code source}. */
    public void append(MemorySegment source) {
        long size = source.byteSize();
        reserve(size);
        MemorySegment.copy(source, 0, buffer, length, size);
        length += size;
    }

    private void reserve(long more) {
        long needed = Math.addExact(length, more);
        if (needed <= buffer.byteSize()) {
            return;
        }
        var grown = Arena.ofShared();
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
        if (closed.compareAndSet(false, true)) {
            buffer.fill((byte) 0);
            arena.close();
        }
    }

    @Override
    public String toString() {
        return "Content[bytes=" + length + "]";
    }
}
