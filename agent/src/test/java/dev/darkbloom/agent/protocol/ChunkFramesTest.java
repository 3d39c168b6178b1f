package dev.darkbloom.agent.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.AgentMessage.InferenceResponseChunk;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ChunkFramesTest {
    private static final String KEY = "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=";

    private final RequestId id = new RequestId("6f0c9a52-6f34-4d8b-9d5f-0a4c5d1c7e21");
    private final ChunkFrames frames = new ChunkFrames(id, KEY);

    @Test
    void theBytesAreThoseOfTheEncoder() {
        var random = new Random(5);
        var encoder = new MessageEncoder();
        for (int size = 40; size < 500; size += 7) {
            var sealed = new byte[size];
            random.nextBytes(sealed);
            try (Content fast = Content.confined(16); Content slow = Content.confined(16); Content text = Content.confined(16)) {
                Base64Text.encode(OffHeap.bytes(sealed), 0, size, text);
                frames.write(OffHeap.bytes(sealed), 0, size, fast);
                encoder.encode(new InferenceResponseChunk(id, new EncryptedPayload(KEY, text.segment())), slow);

                assertThat(OffHeap.text(fast)).isEqualTo(OffHeap.text(slow));
                assertThat(fast.length()).isEqualTo(frames.frameBytes(size));
            }
        }
    }

    @Test
    void theLargestFrameIsOneThatACoordinatorReads() {
        long size = frames.maxSealedBytes();
        try (Content sealed = Content.confined(size + 1); Content frame = Content.confined(16)) {
            sealed.appendZeros(size + 1);

            frames.write(sealed.segment(), 0, size, frame);
            var chunk = (InferenceResponseChunk) new MessageDecoder().agentMessage(frame.segment());

            assertThat(frame.length()).isBetween(MessageDecoder.MAX_AGENT_FRAME_BYTES - 4, MessageDecoder.MAX_AGENT_FRAME_BYTES);
            assertThat(chunk.encryptedData().ciphertext().byteSize()).isEqualTo(Base64Text.encodedLength(size));
            long before = frame.length();
            assertThatExceptionOfType(AgentException.class).isThrownBy(() -> frames.write(sealed.segment(), 0, size + 1, frame))
                    .satisfies(refused -> assertThat(refused.code()).isEqualTo(ErrorCode.PAYLOAD_TOO_LARGE));
            assertThat(frame.length()).isEqualTo(before);
        }
    }

    @Test
    void aMessageThatNoCoordinatorReadsIsNotWritten() {
        MemorySegment text = OffHeap.utf8("A".repeat((int) MessageDecoder.MAX_AGENT_FRAME_BYTES));
        try (Content frame = Content.confined(16)) {
            frame.append((byte) 1);

            assertThatExceptionOfType(AgentException.class)
                    .isThrownBy(() -> new MessageEncoder().encode(new InferenceResponseChunk(id, new EncryptedPayload(KEY, text)), frame));
            assertThat(frame.length()).isEqualTo(1);
        }
    }

    @Test
    void framesOfTenThousandChunksLeaveNothingOnTheHeap() {
        var bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Content sealed = Content.confined(512); Content frame = Content.confined(2048)) {
            sealed.appendZeros(340);
            MemorySegment bytes = sealed.segment();
            long least = Long.MAX_VALUE;
            // What the interpreter and the compilers' stages allocate is gone after some rounds.
            for (int round = 0; round < 20 && least > 0; round++) {
                long before = bean.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 10_000; i++) {
                    frame.clear();
                    frames.write(bytes, 0, 340, frame);
                }
                least = Math.min(least, bean.getCurrentThreadAllocatedBytes() - before);
            }

            assertThat(least).isLessThan(1_000);
        }
    }
}
