package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.util.internal.CleanableDirectBuffer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ZeroingAllocatorTest {
    /** Counts what is freed, and looks at it first. */
    private static final class Watched implements CleanableDirectBuffer {
        private static final AtomicInteger freed = new AtomicInteger();

        private final CleanableDirectBuffer memory;

        Watched(CleanableDirectBuffer memory) {
            this.memory = memory;
        }

        @Override
        public ByteBuffer buffer() {
            return memory.buffer();
        }

        @Override
        public void clean() {
            ByteBuffer bytes = memory.buffer();
            for (int i = 0; i < bytes.capacity(); i++) {
                assertThat(bytes.get(i)).isZero();
            }
            freed.incrementAndGet();
            memory.clean();
        }
    }

    @Test
    void everyByteIsZeroWhenMemoryIsFreed() {
        Watched.freed.set(0);
        ByteBuf buffer = new ZeroingAllocator(Watched::new).directBuffer(64, 256);
        assertThat(buffer.capacity()).isEqualTo(64);
        assertThat(buffer.maxCapacity()).isEqualTo(256);
        buffer.writeBytes("x".repeat(64).getBytes(StandardCharsets.US_ASCII)).skipBytes(10);

        buffer.writeBytes("y".repeat(100).getBytes(StandardCharsets.US_ASCII));
        assertThat(Watched.freed).as("the place before it grew").hasValue(1);
        ByteBuf slice = buffer.readRetainedSlice(20);
        buffer.release();
        assertThat(Watched.freed).hasValue(1);
        slice.release();
        assertThat(Watched.freed).hasValue(2);
    }

    @Test
    void buffersForSocketsAreOutsideTheHeap() {
        ByteBuf[] buffers = {
            ZeroingAllocator.INSTANCE.ioBuffer(), ZeroingAllocator.INSTANCE.ioBuffer(16), ZeroingAllocator.INSTANCE.ioBuffer(16, 32),
            ZeroingAllocator.INSTANCE.buffer(), ZeroingAllocator.INSTANCE.directBuffer()
        };
        for (ByteBuf buffer : buffers) {
            assertThat(buffer.isDirect()).isTrue();
            buffer.release();
        }
    }

    @Test
    void growingKeepsWhatWasWritten() {
        ByteBuf buffer = ZeroingAllocator.INSTANCE.directBuffer(4);
        for (int i = 0; i < 10_000; i++) {
            buffer.writeInt(i);
        }
        for (int i = 0; i < 10_000; i++) {
            assertThat(buffer.readInt()).isEqualTo(i);
        }
        buffer.release();
    }
}
