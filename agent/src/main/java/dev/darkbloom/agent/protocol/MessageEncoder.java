package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.databind.ObjectWriter;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import java.io.IOException;

/**
 * Writes messages as frames. For chunks of an answer there is {@link ChunkFrames}, which writes the same bytes without making garbage.
 *
 * <p>Immutable; any thread.
 */
public final class MessageEncoder {
    private static final ObjectWriter AGENT = WireJson.OF_AGENTS.writerFor(AgentMessage.class);
    private static final ObjectWriter COORDINATOR = WireJson.OF_COORDINATORS.writerFor(CoordinatorMessage.class);

    /**
     * Appends one frame to {@code target}: a JSON object in UTF-8.
     *
     * @throws IllegalArgumentException for {@code Unknown}, which is only ever received
     * @throws AgentException {@code PAYLOAD_TOO_LARGE} when the frame is larger than a coordinator reads; {@code target} is as long as
     *     before
     */
    public void encode(AgentMessage message, Content target) {
        if (message instanceof AgentMessage.Unknown) {
            throw new IllegalArgumentException("a message of an unknown type is not sent");
        }
        long start = target.length();
        write(AGENT, message, target);
        long size = target.length() - start;
        if (size > MessageDecoder.MAX_AGENT_FRAME_BYTES) {
            target.truncate(start);
            throw tooLarge(size);
        }
    }

    /** Appends one frame to {@code target}; {@link IllegalArgumentException} for {@code Unknown}. */
    public void encode(CoordinatorMessage message, Content target) {
        if (message instanceof CoordinatorMessage.Unknown) {
            throw new IllegalArgumentException("a message of an unknown type is not sent");
        }
        write(COORDINATOR, message, target);
    }

    static AgentException tooLarge(long bytes) {
        return new AgentException(ErrorCode.PAYLOAD_TOO_LARGE,
                "a message of " + bytes + " bytes; coordinators read up to " + MessageDecoder.MAX_AGENT_FRAME_BYTES);
    }

    private static void write(ObjectWriter writer, Object message, Content target) {
        try {
            writer.writeValue(new ContentStream(target), message);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.INTERNAL, "cannot write a " + message.getClass().getSimpleName() + ": "
                    + e.getClass().getSimpleName());
        }
    }
}
