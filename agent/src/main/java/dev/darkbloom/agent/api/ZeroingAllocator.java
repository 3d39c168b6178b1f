package dev.darkbloom.agent.api;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.buffer.UnpooledDirectByteBuf;
import io.netty.util.internal.CleanableDirectBuffer;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.function.UnaryOperator;

/**
 * Direct buffers outside any pool, zeroed before they are freed or moved.
 *
 * <p>Bodies and answers pass through the endpoint's buffers; a pool would keep what they held until it is written over. Any thread.
 */
final class ZeroingAllocator extends AbstractByteBufAllocator {
    static final ZeroingAllocator INSTANCE = new ZeroingAllocator(UnaryOperator.identity());

    private final UnaryOperator<CleanableDirectBuffer> seen;

    /**
     * @param seen what is freed passes through it when it is allocated, so that a test can look at it
     */
    ZeroingAllocator(UnaryOperator<CleanableDirectBuffer> seen) {
        super(true);
        this.seen = seen;
    }

    /** Heap buffers are asked for by Netty's own parts for header lines only. */
    @Override
    protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
        return UnpooledByteBufAllocator.DEFAULT.heapBuffer(initialCapacity, maxCapacity);
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        return toLeakAwareBuffer(new ZeroedBuffer(this, maxCapacity).capacity(initialCapacity));
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

    /** Starts empty: Netty takes a buffer's first memory by a way that is closed to subclasses, and all later memory by this one. */
    private static final class ZeroedBuffer extends UnpooledDirectByteBuf {
        ZeroedBuffer(ZeroingAllocator allocator, int maxCapacity) {
            super(allocator, 0, maxCapacity);
        }

        @Override
        protected CleanableDirectBuffer allocateDirectBuffer(int capacity) {
            CleanableDirectBuffer memory = super.allocateDirectBuffer(capacity);
            return new Zeroed(((ZeroingAllocator) alloc()).seen.apply(memory));
        }
    }

    /** Zeroes the whole of a buffer, then frees it. */
    private record Zeroed(CleanableDirectBuffer memory) implements CleanableDirectBuffer {
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
