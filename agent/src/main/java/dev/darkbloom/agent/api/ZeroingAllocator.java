package dev.darkbloom.agent.api;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.buffer.UnpooledDirectByteBuf;
import io.netty.util.internal.CleanableDirectBuffer;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * Direct buffers outside any pool, zeroed before they are freed or moved.
 *
 * <p>Bodies and answers pass through the endpoint's buffers; a pool would keep what they held until it is written over. Any thread.
 */
final class ZeroingAllocator extends AbstractByteBufAllocator {
    static final ZeroingAllocator INSTANCE = new ZeroingAllocator();

    private ZeroingAllocator() {
        super(true);
    }

    /** Heap buffers are asked for by Netty's own parts for header lines only. */
    @Override
    protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
        return UnpooledByteBufAllocator.DEFAULT.heapBuffer(initialCapacity, maxCapacity);
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        return toLeakAwareBuffer(new ZeroedBuffer(this, initialCapacity, maxCapacity));
    }

    /** Sockets are read into these buffers: Netty would take the heap where it thinks that direct memory cannot be freed at once. */
    @Override
    public ByteBuf ioBuffer(int initialCapacity, int maxCapacity) {
        return directBuffer(initialCapacity, maxCapacity);
    }

    @Override
    public ByteBuf ioBuffer(int initialCapacity) {
        return directBuffer(initialCapacity);
    }

    @Override
    public ByteBuf ioBuffer() {
        return directBuffer();
    }

    @Override
    public boolean isDirectBufferPooled() {
        return false;
    }

    private static final class ZeroedBuffer extends UnpooledDirectByteBuf {
        ZeroedBuffer(ByteBufAllocator allocator, int initialCapacity, int maxCapacity) {
            super(allocator, initialCapacity, maxCapacity);
        }

        @Override
        protected CleanableDirectBuffer allocateDirectBuffer(int capacity) {
            return new Zeroed(super.allocateDirectBuffer(capacity));
        }
    }

    /** Zeroes the whole of a buffer, then frees it. */
    record Zeroed(CleanableDirectBuffer memory) implements CleanableDirectBuffer {
        @Override
        public ByteBuffer buffer() {
            return memory.buffer();
        }

        @Override
        public void clean() {
            MemorySegment.ofBuffer(memory.buffer().clear()).fill((byte) 0);
            memory.clean();
        }

        @Override
        public boolean hasMemoryAddress() {
            return memory.hasMemoryAddress();
        }

        @Override
        public long memoryAddress() {
            return memory.memoryAddress();
        }
    }
}
