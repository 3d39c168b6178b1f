package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.util.internal.CleanableDirectBuffer;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class ZeroingAllocatorTest {
    @Test
    void everyByteIsZeroWhenTheMemoryIsFreed() {
        ByteBuffer memory = ByteBuffer.allocateDirect(64);
        for (int i = 0; i < memory.capacity(); i++) {
            memory.put(i, (byte) 'x');
        }
        memory.position(10).limit(20);
        var freed = new AtomicBoolean();
        var zeroed = new ZeroingAllocator.Zeroed(new CleanableDirectBuffer() {
            @Override
            public ByteBuffer buffer() {
                return memory;
            }

            @Override
            public void clean() {
                for (int i = 0; i < memory.capacity(); i++) {
                    assertThat(memory.get(i)).isZero();
                }
                freed.set(true);
            }
        });

        zeroed.clean();

        assertThat(freed).isTrue();
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
