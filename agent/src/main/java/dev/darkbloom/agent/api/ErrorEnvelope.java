package dev.darkbloom.agent.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The body of every refusal: {@code {"error":{"message","type","code","param"}}}, as OpenAI's clients read it; to clients of Anthropic's
 * API {@code {"type":"error","error":{"type","message"},"request_id"}}, as they read it.
 */
final class ErrorEnvelope {
    /** The SDK's tool runner asks for a conversation kept by the server first, and goes on without one when it reads of this refusal. */
    private static final String THREAD = "thread";
    private static final JsonMapper JSON = new JsonMapper();

    private ErrorEnvelope() {}

    /** Returns the envelope as UTF-8. */
    static byte[] of(Exchange exchange, AgentException error) {
        try {
            return JSON.writeValueAsBytes(exchange.isMessages() ? messages(exchange, error) : Map.of("error", fields(error)));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<String, Object> messages(Exchange exchange, AgentException error) {
        var inner = new LinkedHashMap<String, Object>();
        inner.put("type", error.code().messagesType());
        inner.put("message", error.getMessage());
        if (error.code() == ErrorCode.UNSUPPORTED_PARAMETER && error.param().equals(Optional.of(THREAD))) {
            inner.put("details", Map.of("error_code", "thread_unsupported_request", "unsupported", List.of(THREAD)));
        }
        var envelope = new LinkedHashMap<String, Object>();
        envelope.put("type", "error");
        envelope.put("error", inner);
        envelope.put("request_id", exchange.id().value());
        return envelope;
    }

    private static Map<String, Object> fields(AgentException error) {
        var fields = new LinkedHashMap<String, Object>();
        fields.put("message", error.getMessage());
        fields.put("type", error.code().wireType());
        fields.put("code", error.code().wireCode());
        fields.put("param", error.param().orElse(null));
        return fields;
    }

    /** Returns what a client hears of a failure that is not its own and that nobody foresaw. */
    static AgentException internal() {
        return new AgentException(ErrorCode.INTERNAL, "the request failed inside the agent");
    }
}
