package dev.darkbloom.agent.service.local;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/** The endpoint's requests and answers as JSON, as far as its own client needs them. */
final class LocalCodec {
    private static final JsonMapper MAPPER = new JsonMapper();

    private LocalCodec() {}

    /**
     * One event of a streamed answer.
     *
     * @param text what was added to the answer; may be empty
     * @param thinking what was added to the thoughts before it; may be empty
     */
    record Event(String text, String thinking, Optional<String> finishReason, Optional<Usage> usage, Optional<Timings> timings) {}

    record Usage(int promptTokens, int cachedTokens, int generatedTokens) {}

    record Timings(double prefillTokensPerSecond, double decodeTokensPerSecond) {}

    static String chatRequest(String model, List<ChatMessage> messages, OptionalInt maxTokens) {
        ObjectNode json = streamed(model, maxTokens);
        var array = json.putArray("messages");
        for (ChatMessage message : messages) {
            array.addObject().put("role", message.role().name().toLowerCase(Locale.ROOT)).put("content", message.text());
        }
        return json.toString();
    }

    /** A completion that writes exactly {@code tokens} tokens, always the likeliest. */
    static String measuredRequest(String model, String prompt, int tokens) {
        return streamed(model, OptionalInt.of(tokens)).put("prompt", prompt).put("ignore_eos", true).put("temperature", 0).toString();
    }

    private static ObjectNode streamed(String model, OptionalInt maxTokens) {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("model", model).put("stream", true);
        json.putObject("stream_options").put("include_usage", true);
        maxTokens.ifPresent(most -> json.put("max_tokens", most));
        return json;
    }

    static String tokenizeRequest(String model, String text) {
        return JsonNodeFactory.instance.objectNode().put("model", model).put("content", text).toString();
    }

    static int tokenCount(String answer) {
        return read(answer).path("tokens").size();
    }

    static List<String> modelIds(String answer) {
        var ids = new ArrayList<String>();
        read(answer).path("data").forEach(model -> ids.add(model.path("id").asText()));
        return ids;
    }

    /** Returns the event of one {@code data:} line; throws the error when it carries one. */
    static Event event(String data) {
        JsonNode json = read(data);
        if (json.path("error").isObject()) {
            throw error(json, ErrorCode.GENERATION_FAILED);
        }
        JsonNode choice = json.path("choices").path(0);
        JsonNode usage = json.path("usage");
        JsonNode timings = json.path("timings");
        return new Event(
                choice.path("delta").path("content").asText("") + choice.path("text").asText(""),
                choice.path("delta").path("reasoning_content").asText(""),
                Optional.of(choice.path("finish_reason")).filter(JsonNode::isTextual).map(JsonNode::textValue),
                usage.isObject()
                        ? Optional.of(new Usage(
                                usage.path("prompt_tokens").asInt(),
                                usage.path("prompt_tokens_details").path("cached_tokens").asInt(),
                                usage.path("completion_tokens").asInt()))
                        : Optional.empty(),
                timings.isObject()
                        ? Optional.of(new Timings(timings.path("prompt_per_second").asDouble(), timings.path("predicted_per_second").asDouble()))
                        : Optional.empty());
    }

    static String json(BenchmarkReport report) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", report.plan().model());
        json.put("chip", report.chip());
        json.put("platform", report.platform());
        json.put("version", report.version());
        json.put("llama_cpp", report.llamaCpp());
        json.put("slots", report.slots());
        json.put("context_tokens", report.contextTokens());
        json.put("answer_tokens", report.plan().answerTokens());
        json.put("runs", report.plan().runs());
        report.compute().ifPresent(compute -> json.set("compute", read(compute.toJson())));
        var rows = json.putArray("rows");
        for (Benchmark.Row row : report.rows()) {
            ObjectNode cells = rows.addObject().put("streams", row.streams()).put("prompt_tokens", row.promptTokens());
            cells.set("prefill_tokens_per_second", json(row.prefillTokensPerSecond()));
            cells.set("decode_tokens_per_second", json(row.decodeTokensPerSecond()));
            cells.set("time_to_first_token_ms", json(row.timeToFirstMillis()));
        }
        return json.toPrettyString();
    }

    private static ObjectNode json(Benchmark.Spread spread) {
        return JsonNodeFactory.instance.objectNode().put("median", spread.median()).put("min", spread.min()).put("max", spread.max());
    }

    /** Returns what a refusal with this HTTP status says. */
    static AgentException refusal(int status, String body) {
        ErrorCode code = switch (status) {
            case 401 -> ErrorCode.UNAUTHORIZED;
            case 404 -> ErrorCode.UNKNOWN_MODEL;
            case 503 -> ErrorCode.QUEUE_FULL;
            default -> status < 500 ? ErrorCode.INVALID_REQUEST : ErrorCode.GENERATION_FAILED;
        };
        try {
            return error(read(body), code);
        } catch (AgentException _) {
            return new AgentException(code, "the endpoint answers HTTP " + status);
        }
    }

    private static AgentException error(JsonNode json, ErrorCode code) {
        return new AgentException(code, json.path("error").path("message").asText("the endpoint gives no reason"));
    }

    private static JsonNode read(String text) {
        try {
            return MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            throw new AgentException(ErrorCode.INTERNAL, "the endpoint's answer is no JSON", e);
        }
    }
}
