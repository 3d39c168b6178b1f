package dev.darkbloom.agent.protocol;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * Writes the frames of one request's chunks: what is the same in all of them is made once.
 *
 * <p>The bytes are those that {@link MessageEncoder} writes for {@link AgentMessage.InferenceResponseChunk}. Allocates nothing once the
 * target has its size. Immutable; any thread.
 */
public final class ChunkFrames {
    private static final String END = "\"}}";

    private final MemorySegment head; // names, ids and a public key; no content
    private final MemorySegment end;

    /**
     * Prepares the frames of one request.
     *
     * @param publicKey base64 of the agent's X25519 key, letter for letter as it was registered
     */
    public ChunkFrames(RequestId requestId, String publicKey) {
        head = ascii("{\"type\":\"inference_response_chunk\",\"request_id\":" + quoted(requestId.value())
                + ",\"encrypted_data\":{\"ephemeral_public_key\":" + quoted(publicKey) + ",\"ciphertext\":\"");
        end = ascii(END);
    }

    private static String quoted(String text) {
        try {
            return WireJson.OF_AGENTS.writeValueAsString(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static MemorySegment ascii(String text) {
        return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Returns the bytes of the frame around {@code sealedBytes} sealed ones. */
    public long frameBytes(long sealedBytes) {
        return head.byteSize() + Base64Text.encodedLength(sealedBytes) + end.byteSize();
    }

    /** Returns how many sealed bytes a frame may carry, so that a coordinator reads it. */
    public long maxSealedBytes() {
        return (MessageDecoder.MAX_AGENT_FRAME_BYTES - head.byteSize() - end.byteSize()) / 4 * 3;
    }

    /**
     * Appends one frame to {@code target}.
     *
     * @param sealed borrowed: nonce, tag and sealed bytes, from {@code offset} on
     * @throws AgentException {@code PAYLOAD_TOO_LARGE}, before anything is written, for a frame that coordinators do not read
     */
    public void write(MemorySegment sealed, long offset, long size, Content target) {
        if (size > maxSealedBytes()) {
            throw MessageEncoder.tooLarge(frameBytes(size));
        }
        target.append(head);
        Base64Text.encode(sealed, offset, size, target);
        target.append(end);
    }
}
