package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.AgentMessage.InferenceResponseChunk;
import dev.darkbloom.agent.protocol.ChunkFrames;
import dev.darkbloom.agent.protocol.CoordinatorMessage.InferenceRequest;
import dev.darkbloom.agent.protocol.EncryptedPayload;
import dev.darkbloom.agent.protocol.MessageDecoder;
import dev.darkbloom.agent.protocol.MessageEncoder;
import dev.darkbloom.agent.testing.OffHeap;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A request and its answer from one end to the other, both ends ours: frames, payloads and keys fit each other. */
@Tag("native")
class SealedExchangeTest {
    private static final String REQUEST = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"grüße 🌱\"}],"
            + "\"max_tokens\":8192}";

    private final RequestId id = new RequestId("6f0c9a52-6f34-4d8b-9d5f-0a4c5d1c7e21");
    private final MessageEncoder encoder = new MessageEncoder();
    private final MessageDecoder decoder = new MessageDecoder();

    private void requestFrame(BoxKeys request, RequestBox box, Content frame) {
        try (Content sealed = Content.confined(16); Content text = Content.confined(16)) {
            var plain = OffHeap.utf8(REQUEST);
            box.seal(plain, 0, plain.byteSize(), sealed);
            Base64Text.encode(sealed.buffer(), 0, sealed.length(), text);
            encoder.encode(new InferenceRequest(id, Optional.of(new EncryptedPayload(request.publicKey(), text.segment())),
                    Optional.empty(), OptionalLong.empty(), Optional.empty()), frame);
        }
    }

    @Test
    void aRequestGoesOneWayAndItsChunksComeBack() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox coordinator = request.boxWith(provider.publicKey());
                Content requestFrame = Content.allocate(16);
                Content prompt = Content.allocate(16);
                Content sealed = Content.allocate(16);
                Content chunkFrame = Content.allocate(16);
                Content answer = Content.allocate(16)) {
            requestFrame(request, coordinator, requestFrame);

            var received = (InferenceRequest) decoder.coordinatorMessage(requestFrame.segment());
            EncryptedPayload body = received.encryptedBody().orElseThrow();
            try (RequestBox box = new RequestOpener(provider, new ReplayGuard()).open(body.ephemeralPublicKey(), body.ciphertext(),
                    prompt)) {
                var frames = new ChunkFrames(received.requestId(), provider.publicKey());
                for (int i = 0; i < 1_000; i++) {
                    String text = "data: {\"choices\":[{\"delta\":{\"content\":\"" + "é".repeat(i % 97) + i + "\"}}]}";
                    var plain = OffHeap.utf8(text);
                    sealed.clear();
                    box.seal(plain, 0, plain.byteSize(), sealed);
                    chunkFrame.clear();
                    frames.write(sealed.buffer(), 0, sealed.length(), chunkFrame);

                    var chunk = (InferenceResponseChunk) decoder.agentMessage(chunkFrame.segment());
                    answer.clear();
                    coordinator.openText(chunk.encryptedData().ciphertext(), 0, chunk.encryptedData().ciphertext().byteSize(), answer);

                    assertThat(OffHeap.text(answer)).isEqualTo(text);
                    assertThat(chunk.encryptedData().ephemeralPublicKey()).isEqualTo(provider.publicKey());
                    assertThat(chunk.requestId()).isEqualTo(id);
                }
            }
            assertThat(OffHeap.text(prompt)).isEqualTo(REQUEST);
        }
    }

    @Test
    void aChunkOfAnotherRequestIsNotOpened() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys first = BoxKeys.generate();
                BoxKeys second = BoxKeys.generate();
                RequestBox ours = provider.boxWith(first.publicKey());
                RequestBox theirs = second.boxWith(provider.publicKey());
                Content sealed = Content.confined(16);
                Content plain = Content.confined(16)) {
            ours.seal(OffHeap.utf8("chunk"), 0, 5, sealed);

            assertThat(catchThrowable(() -> theirs.open(sealed.segment(), 0, sealed.length(), plain)))
                    .isInstanceOfSatisfying(PayloadFailure.class,
                            failure -> assertThat(failure.reason()).isEqualTo(PayloadFailure.Reason.NOT_AUTHENTIC));
        }
    }
}
