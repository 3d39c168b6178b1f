package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * Reads frames: JSON objects in UTF-8, outside the heap, told apart by their {@code type}.
 *
 * <p>Sealed payloads stay where they are and come back as views of the frame. What we do not know is counted: types as {@code Unknown} messages,
 * members by leaving them out. Counters are one connection's or the process's, as the owner likes. Any thread, if no other one writes the
 * frame.
 */
public final class MessageDecoder {
    /** Largest frame that an agent takes. */
    public static final long MAX_COORDINATOR_FRAME_BYTES = 64L << 20;
    /** Largest frame that a coordinator takes; a larger one ends the connection. */
    public static final long MAX_AGENT_FRAME_BYTES = 10L << 20;
    /** Largest message without a sealed payload: they are read into Java objects. */
    public static final long MAX_OPEN_BYTES = 1L << 20;

    private static final int MAX_TYPE_BYTES = 64;
    private static final int MAX_ID_BYTES = 64;
    private static final int MAX_NAME_BYTES = 128;

    private final LongAdder unknownTypes = new LongAdder();
    private final LongAdder unknownFields = new LongAdder();
    private final LongAdder malformed = new LongAdder();

    /**
     * Returns what a coordinator's frame says.
     *
     * @param frame borrowed; a sealed body is a view of it
     * @throws MalformedMessageException counted
     */
    public CoordinatorMessage coordinatorMessage(MemorySegment frame) {
        try {
            JsonScanner json = scan(frame, MAX_COORDINATOR_FRAME_BYTES);
            String type = type(json);
            Class<?> known = WireNames.COORDINATOR_TYPES.get(type);
            if (known == null) {
                unknownTypes.increment();
                return new CoordinatorMessage.Unknown(type);
            }
            countUnknown(json, known);
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
     * @param frame borrowed; a sealed chunk is a view of it
     * @throws MalformedMessageException counted
     */
    public AgentMessage agentMessage(MemorySegment frame) {
        try {
            JsonScanner json = scan(frame, MAX_AGENT_FRAME_BYTES);
            String type = type(json);
            Class<?> known = WireNames.AGENT_TYPES.get(type);
            if (known == null) {
                unknownTypes.increment();
                return new AgentMessage.Unknown(type);
            }
            countUnknown(json, known);
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

    private static JsonScanner scan(MemorySegment frame, long maxBytes) {
        if (frame.byteSize() > maxBytes) {
            throw new MalformedMessageException("a frame of " + frame.byteSize() + " bytes; the limit is " + maxBytes);
        }
        JsonScanner json;
        try {
            json = JsonScanner.of(frame);
        } catch (AgentException e) {
            throw new MalformedMessageException(e.getMessage());
        }
        if (json.kind(json.root()) != Kind.OBJECT) {
            throw new MalformedMessageException("a frame that is no JSON object");
        }
        return json;
    }

    private static String type(JsonScanner json) {
        return word(json, json.root(), "type", MAX_TYPE_BYTES).orElseThrow(() -> new MalformedMessageException("a frame without a type"));
    }

    /** Returns a string member, unless it is absent, something else or longer. */
    private static Optional<String> word(JsonScanner json, Slice object, String name, int maxBytes) {
        Slice value = json.member(object, name);
        return value.isEmpty() || json.kind(value) != Kind.STRING ? Optional.empty() : json.setting(value, maxBytes);
    }

    private void countUnknown(JsonScanner json, Class<?> type) {
        for (var members = json.members(json.root()); members.next();) {
            // A name longer than all of ours is as unknown as any.
            if (!json.setting(members.key(), MAX_NAME_BYTES).map(name -> WireNames.isKnown(type, name)).orElse(false)) {
                unknownFields.increment();
            }
        }
    }

    private <T> T read(JsonMapper mapper, Class<T> direction, String type, JsonScanner json, String statement) {
        ObjectReader reader = mapper.readerFor(direction).withAttribute(WireJson.UNKNOWN_FIELDS, unknownFields);
        if (statement != null) {
            reader = reader.withAttribute(WireJson.STATEMENT, statement);
        }
        try {
            return reader.readValue(bytes(json, json.root(), type));
        } catch (JsonProcessingException e) {
            throw WireJson.malformed(type, e);
        } catch (IOException e) {
            throw new MalformedMessageException(type + ": " + e.getClass().getSimpleName());
        }
    }

    private static byte[] bytes(JsonScanner json, Slice value, String type) {
        if (value.length() > MAX_OPEN_BYTES) {
            throw new MalformedMessageException(type + ": " + value.length() + " bytes; the limit is " + MAX_OPEN_BYTES);
        }
        return json.segment(value).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Returns the text of the object that an attestation's signature is over, as it came; null when there is none. */
    private static String statement(JsonScanner json) {
        Slice outer = json.member(json.root(), "attestation");
        if (outer.isEmpty() || json.kind(outer) != Kind.OBJECT) {
            return null;
        }
        Slice inner = json.member(outer, "attestation");
        return inner.isEmpty() ? null : new String(bytes(json, inner, "attestation"), StandardCharsets.UTF_8);
    }

    private static RequestId requestId(JsonScanner json, String type) {
        String text = word(json, json.root(), "request_id", MAX_ID_BYTES)
                .orElseThrow(() -> new MalformedMessageException(type + ": no request_id"));
        try {
            return new RequestId(text);
        } catch (IllegalArgumentException e) {
            throw new MalformedMessageException(type + ": not a request id");
        }
    }

    private CoordinatorMessage inferenceRequest(JsonScanner json) {
        String type = "inference_request";
        Slice root = json.root();
        Slice budget = json.member(root, "first_content_budget_ms");
        OptionalLong budgetMs = !budget.isEmpty() && json.kind(budget) == Kind.NUMBER ? json.integer(budget) : OptionalLong.empty();
        return new CoordinatorMessage.InferenceRequest(requestId(json, type), payload(json, "encrypted_body"),
                word(json, root, "service_reservation_id", MAX_ID_BYTES), budgetMs, promptWork(json));
    }

    private Optional<CoordinatorMessage.PromptWork> promptWork(JsonScanner json) {
        Slice value = json.member(json.root(), "prompt_work");
        if (value.isEmpty() || json.kind(value) != Kind.OBJECT) {
            return Optional.empty();
        }
        try {
            return Optional.of(WireJson.OF_COORDINATORS.readerFor(CoordinatorMessage.PromptWork.class)
                    .withAttribute(WireJson.UNKNOWN_FIELDS, unknownFields)
                    .readValue(bytes(json, value, "prompt_work")));
        } catch (IOException e) {
            return Optional.empty(); // advice only
        }
    }

    private static AgentMessage chunk(JsonScanner json) {
        String type = "inference_response_chunk";
        Slice data = json.member(json.root(), "data");
        if (!data.isEmpty() && json.isText(data)) {
            throw new MalformedMessageException(type + ": a chunk in the clear");
        }
        return new AgentMessage.InferenceResponseChunk(requestId(json, type), payload(json, "encrypted_data")
                .orElseThrow(() -> new MalformedMessageException(type + ": no sealed payload")));
    }

    private static Optional<EncryptedPayload> payload(JsonScanner json, String name) {
        Slice value = json.member(json.root(), name);
        if (value.isEmpty() || json.kind(value) != Kind.OBJECT) {
            return Optional.empty();
        }
        Slice ciphertext = json.member(value, "ciphertext");
        if (ciphertext.isEmpty() || json.kind(ciphertext) != Kind.STRING) {
            return Optional.empty();
        }
        return word(json, value, "ephemeral_public_key", MAX_ID_BYTES)
                .map(key -> new EncryptedPayload(key, letters(json, ciphertext)));
    }

    /** Returns what is between the quotes: a view, or a copy where somebody escaped base64's slashes. */
    private static MemorySegment letters(JsonScanner json, Slice string) {
        MemorySegment text = json.text().asSlice(string.offset() + 1, string.length() - 2);
        for (long at = 0; at < text.byteSize(); at++) {
            if (text.get(ValueLayout.JAVA_BYTE, at) == '\\') {
                try (Content plain = Content.confined(string.length())) {
                    json.decode(string, plain);
                    return Arena.ofAuto().allocate(plain.length(), 1).copyFrom(plain.segment());
                }
            }
        }
        return text;
    }
}
