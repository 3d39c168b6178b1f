package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The {@code response} object of one request, at every stage of it: what its request asked for is in all of them. Its text has no line
 * ends, so that events can carry it. Holds no part of the request's body. Any thread, one at a time.
 */
final class ResponseObject {
    /** Members that are repeated as they were sent, and what stands for them otherwise. */
    private static final List<Echo> ECHOES = List.of(
            new Echo("background", "false"), new Echo("instructions", "null"), new Echo("max_output_tokens", "null"),
            new Echo("max_tool_calls", "null"), new Echo("metadata", "{}"), new Echo("parallel_tool_calls", "true"),
            new Echo("previous_response_id", "null"), new Echo("prompt_cache_key", "null"),
            new Echo("reasoning", "{\"effort\":null,\"summary\":null}"), new Echo("safety_identifier", "null"),
            new Echo("service_tier", "\"default\""), new Echo("store", "true"), new Echo("temperature", "null"),
            new Echo("text", "{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}"), new Echo("tool_choice", "\"auto\""), new Echo("tools", "[]"),
            new Echo("top_logprobs", "0"), new Echo("top_p", "null"), new Echo("truncation", "\"disabled\""), new Echo("user", "null"));

    private final String id;
    private final SseWriter head;

    private record Echo(String name, String otherwise) {}

    /** Reads the request; {@code head} is an empty writer, borrowed. */
    ResponseObject(SseWriter head, RequestBody body, String id, long createdSeconds, String model) {
        this.id = id;
        this.head = head;
        head.raw("{\"id\":\"").raw(id).raw("\",\"object\":\"response\",\"created_at\":").number(createdSeconds).raw(",\"model\":").setting(model);
        for (Echo echo : ECHOES) {
            head.raw(",\"").raw(echo.name()).raw("\":");
            Slice value = body.value(echo.name());
            if (value.isEmpty()) {
                head.raw(echo.otherwise());
            } else if (echo.name().equals("text") && (body.json().kind(value) != Kind.OBJECT || body.json().member(value, "format").isEmpty())) {
                head.raw(echo.otherwise());
            } else {
                compact(body.json(), value);
            }
        }
    }

    String id() {
        return id;
    }

    /** Copies a value without the white space between its tokens. */
    private void compact(JsonScanner json, Slice value) {
        MemorySegment text = json.text();
        boolean quoted = false;
        long from = value.offset();
        for (long at = value.offset(); at < value.end(); at++) {
            byte b = text.get(ValueLayout.JAVA_BYTE, at);
            if (quoted && b == '\\') {
                at++;
            } else if (b == '"') {
                quoted = !quoted;
            } else if (!quoted && (b == ' ' || b == '\n' || b == '\r' || b == '\t')) {
                head.raw(text, from, at - from);
                from = at + 1;
            }
        }
        head.raw(text, from, value.end() - from);
    }

    /** Writes the object of a response that has not ended, or was cancelled. */
    void write(SseWriter json, String status) {
        json.raw(head).raw(",\"status\":\"").raw(status).raw("\",\"error\":null,\"incomplete_details\":null,\"output\":[],\"usage\":null}");
    }

    /**
     * Writes the object of a response that has ended.
     *
     * @param output its items, with commas between them
     * @param answer what it was made of; it has ended
     */
    void writeEnded(SseWriter json, SseWriter output, Usage usage, Choice answer, long nowSeconds) {
        json.raw(head);
        if (answer.isComplete()) {
            json.raw(",\"status\":\"completed\",\"completed_at\":").number(nowSeconds).raw(",\"error\":null,\"incomplete_details\":null");
        } else {
            json.raw(",\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":\"max_output_tokens\"}");
        }
        json.raw(",\"output\":[").raw(output).raw("],\"usage\":{\"input_tokens\":").number(usage.promptTokens())
                .raw(",\"input_tokens_details\":{\"cached_tokens\":").number(usage.cachedTokens())
                .raw(",\"cache_write_tokens\":0},\"output_tokens\":").number(usage.completionTokens())
                .raw(",\"output_tokens_details\":{\"reasoning_tokens\":").number(usage.reasoningTokens())
                .raw("},\"total_tokens\":").number((long) usage.promptTokens() + usage.completionTokens()).raw("}");
        answer.writeWarning(json);
        json.raw("}");
    }

    /** Writes the object of a response that failed: why, in the words of a refusal where the request is to blame, otherwise in those of its code. */
    void writeFailed(SseWriter json, AgentException error) {
        boolean refused = error.code().kind() == ErrorCode.Kind.REQUEST;
        json.raw(head).raw(",\"status\":\"failed\",\"error\":{\"code\":\"").raw(refused ? "invalid_prompt" : "server_error")
                .raw("\",\"message\":").setting(refused ? error.getMessage() : ErrorJson.text(error.code()))
                .raw("},\"incomplete_details\":null,\"output\":[],\"usage\":null}");
    }
}
