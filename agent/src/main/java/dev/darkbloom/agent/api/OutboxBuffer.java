package dev.darkbloom.agent.api;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.CharsetUtil;
import java.lang.foreign.MemorySegment;

/**
 * Bytes of an answer that go to the socket together, framed as one chunk where the answer comes in chunks (RFC 9112, 7.1).
 *
 * <p>Kept and used again once the socket has taken them: a direct buffer is a system call to get and to free. One thread at a time.
 */
final class OutboxBuffer {
    /** Room for a chunk's size in hexadecimal and the line's end. */
    private static final int HEAD = 10;
    private static final int FIRST_BYTES = 1024;
    private static final byte[] HEX = "0123456789abcdef".getBytes(CharsetUtil.US_ASCII);

    private final ByteBuf bytes;
    private MemorySegment view;

    OutboxBuffer(ByteBufAllocator allocator) {
        bytes = allocator.directBuffer(FIRST_BYTES);
        look();
        clear();
    }

    private void look() {
        view = MemorySegment.ofBuffer(bytes.internalNioBuffer(0, bytes.capacity()));
    }

    /** Forgets everything; the bytes stay until overwritten or released. */
    void clear() {
        bytes.setIndex(HEAD, HEAD);
    }

    int size() {
        return bytes.readableBytes();
    }

    /** Appends the first {@code bytes} of {@code source}. */
    void append(MemorySegment source, long bytes) {
        int size = Math.toIntExact(bytes);
        reserve(size);
        MemorySegment.copy(source, 0, view, this.bytes.writerIndex(), size);
        this.bytes.writerIndex(this.bytes.writerIndex() + size);
    }

    private void reserve(int more) {
        int capacity = bytes.capacity();
        bytes.ensureWritable(more);
        if (bytes.capacity() != capacity) {
            look();
        }
    }

    /** Returns what is in it for one write, which takes a reference; {@code chunked} puts a chunk's frame around it. */
    ByteBuf toWrite(boolean chunked) {
        if (chunked) {
            frame();
        }
        return bytes.retain();
    }

    private void frame() {
        int size = size();
        reserve(2);
        bytes.writeByte('\r').writeByte('\n');
        int at = HEAD;
        bytes.setByte(--at, '\n');
        bytes.setByte(--at, '\r');
        do {
            bytes.setByte(--at, HEX[size & 0xF]);
            size >>>= 4;
        } while (size > 0);
        bytes.readerIndex(at);
    }

    /** Returns whether the socket has taken what was given to {@link #toWrite}, so that this may be filled again. */
    boolean isWritten() {
        return bytes.refCnt() == 1;
    }

    /** Gives the memory back, as soon as the socket has taken what is in it. */
    void release() {
        bytes.release();
    }
}
