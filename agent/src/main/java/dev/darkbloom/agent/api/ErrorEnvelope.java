package dev.darkbloom.agent.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.LinkedHashMap;
import java.util.Map;

/** The body of every refusal: {@code {"error":{"message","type","code","param"}}}, as OpenAI's clients read it. */
final class ErrorEnvelope {
    private static final JsonMapper JSON = new JsonMapper();

    private ErrorEnvelope() {}

    /** Returns the envelope as UTF-8. */
    static byte[] of(AgentException error) {
        var fields = new LinkedHashMap<String, Object>();
        fields.put("message", error.getMessage());
        fields.put("type", error.code().wireType());
        fields.put("code", error.code().wireCode());
        fields.put("param", error.param().orElse(null));
        try {
            return JSON.writeValueAsBytes(Map.of("error", fields));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns what a client hears of a failure that is not its own and that nobody foresaw. */
    static AgentException internal() {
        return new AgentException(ErrorCode.INTERNAL, "the request failed inside the agent");
    }
}
