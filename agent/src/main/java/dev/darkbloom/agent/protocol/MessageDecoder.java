package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.content.Slice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;

/**
 * Reads frames: JSON objects in UTF-8, outside the heap, told apart by their {@code type}.
 *
 * <p>Sealed payloads stay where they are and come back as views of the frame. What we do not know is counted: types as {@code Unknown}
 * messages, members by leaving them out. Counters are one connection's or the process's, as the owner likes. Any thread, if no other one
 * has to do with the frame meanwhile.
 */
public final class MessageDecoder {
    /** Largest frame that an agent takes. */
    public static final long MAX_COORDINATOR_FRAME_BYTES = 64L << 20;
    /** Largest frame that a coordinator takes; a larger one ends the connection. */
    public static final long MAX_AGENT_FRAME_BYTES = 10L << 20;
    /** Largest message without a sealed payload: they are read into Java objects. */
    public static final long MAX_OPEN_BYTES = 1L << 20;

    private final LongAdder unknownTypes = new LongAdder();
    private final LongAdder unknownFields = new LongAdder();
    private final LongAdder malformed = new LongAdder();

    /**
     * Returns what a coordinator's frame says.
     *
     * @param frame borrowed; a sealed body is a view of it, and is unescaped there if it has to be
     * @throws MalformedMessageException counted
     */
    public CoordinatorMessage coordinatorMessage(MemorySegment frame) {
        try {
            FrameMembers json = FrameMembers.of(frame, MAX_COORDINATOR_FRAME_BYTES);
            String type = json.type();
            Class<?> known = WireNames.COORDINATOR_TYPES.get(type);
            if (known == null) {
                unknownTypes.increment();
                return new CoordinatorMessage.Unknown(type);
            }
            unknownFields.add(json.unknownTo(known));
            if (known == CoordinatorMessage.InferenceRequest.class) {
                return inferenceRequest(json);
            }
            return read(WireJson.OF_COORDINATORS, CoordinatorMessage.class, type, json, null);
        } catch (MalformedMessageException e) {
            malformed.increment();
            throw e;
        }
    }

    /**
     * Returns what an agent's frame says, as strictly as a coordinator reads it.
     *
     * @param frame borrowed; a sealed chunk is a view of it, and is unescaped there if it has to be
     * @throws MalformedMessageException counted
     */
    public AgentMessage agentMessage(MemorySegment frame) {
        try {
            FrameMembers json = FrameMembers.of(frame, MAX_AGENT_FRAME_BYTES);
            String type = json.type();
            Class<?> known = WireNames.AGENT_TYPES.get(type);
            if (known == null) {
                unknownTypes.increment();
                return new AgentMessage.Unknown(type);
            }
            unknownFields.add(json.unknownTo(known));
            if (known == AgentMessage.InferenceResponseChunk.class) {
                return chunk(json);
            }
            return read(WireJson.OF_AGENTS, AgentMessage.class, type, json, statement(json));
        } catch (MalformedMessageException e) {
            malformed.increment();
            throw e;
        }
    }

    /** Returns how many messages were of a type that we do not know. */
    public long unknownTypes() {
        return unknownTypes.sum();
    }

    /** Returns how many members of messages we did not know. */
    public long unknownFields() {
        return unknownFields.sum();
    }

    /** Returns how many frames were no message. */
    public long malformed() {
        return malformed.sum();
    }

    private <T> T read(JsonMapper mapper, Class<T> direction, String type, FrameMembers json, String statement) {
        ObjectReader reader = mapper.readerFor(direction).withAttribute(WireJson.UNKNOWN_FIELDS, unknownFields);
        if (statement != null) {
            reader = reader.withAttribute(WireJson.STATEMENT, statement);
        }
        try {
            return reader.readValue(json.bytes(json.root(), type));
        } catch (JsonProcessingException e) {
            throw WireJson.malformed(type, e);
        } catch (IOException e) {
            throw new MalformedMessageException(type + ": " + e.getClass().getSimpleName());
        }
    }

    /** Returns the text of the object that an attestation's signature is over, as it came; null when there is none. */
    private static String statement(FrameMembers json) {
        Slice inner = json.memberOf("attestation", "attestation");
        return inner.isEmpty() ? null : new String(json.bytes(inner, "attestation"), StandardCharsets.UTF_8);
    }

    private CoordinatorMessage inferenceRequest(FrameMembers json) {
        return new CoordinatorMessage.InferenceRequest(json.requestId("inference_request"), payload(json, "encrypted_body"),
                json.word("service_reservation_id"), json.integer("first_content_budget_ms"), promptWork(json));
    }

    private Optional<CoordinatorMessage.PromptWork> promptWork(FrameMembers json) {
        Slice value = json.object("prompt_work");
        if (value.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(WireJson.OF_COORDINATORS.readerFor(CoordinatorMessage.PromptWork.class)
                    .withAttribute(WireJson.UNKNOWN_FIELDS, unknownFields)
                    .readValue(json.bytes(value, "prompt_work")));
        } catch (IOException e) {
            return Optional.empty(); // advice only
        }
    }

    private static AgentMessage chunk(FrameMembers json) {
        String type = "inference_response_chunk";
        if (json.isText("data")) {
            throw new MalformedMessageException(type + ": a chunk in the clear");
        }
        return new AgentMessage.InferenceResponseChunk(json.requestId(type), payload(json, "encrypted_data")
                .orElseThrow(() -> new MalformedMessageException(type + ": no sealed payload")));
    }

    private static Optional<EncryptedPayload> payload(FrameMembers json, String name) {
        Slice key = json.memberOf(name, "ephemeral_public_key");
        Slice ciphertext = json.memberOf(name, "ciphertext");
        if (!json.isString(ciphertext)) {
            return Optional.empty();
        }
        return json.word(key).map(text -> new EncryptedPayload(text, json.letters(ciphertext)));
    }
}
