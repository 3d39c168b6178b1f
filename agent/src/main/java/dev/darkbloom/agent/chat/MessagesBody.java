package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.util.List;
import java.util.Optional;

/**
 * Rewrites a request of Anthropic's Messages API into the chat request that says the same, so that one reader serves both. Text is copied
 * from one place outside the heap to another, escapes and all.
 */
final class MessagesBody {
    /** What both APIs call by one name, and llama-server's sampling parameters, which its own {@code /v1/messages} takes as well. */
    static final List<String> COPIED = List.of("model", "stream", "max_tokens", "temperature", "top_p", "top_k", "seed", "min_p", "typical_p",
            "top_n_sigma", "repeat_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty", "samplers", "ignore_eos", "logit_bias",
            "grammar", "chat_template_kwargs", "sse_ping_interval");

    private static final NameTable EFFORTS = NameTable.of(List.of("low", "medium", "high", "xhigh", "max"));
    private static final NameTable THINKING = NameTable.of(List.of("enabled", "disabled", "adaptive", "between_tools"));

    private MessagesBody() {}

    /**
     * Returns the chat request's JSON. The caller owns it; the body is only read.
     *
     * @param answered whether tokens are asked for, and so a limit of them; counting needs none
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_MEDIA} or {@code UNSUPPORTED_PARAMETER}, in the words of the Messages API
     */
    static SseWriter rewrite(RequestBody body, boolean answered) {
        if (answered || body.has("max_tokens")) {
            checkMaxTokens(body);
        }
        SseWriter out = SseWriter.allocate(body.json().text().byteSize() + 1024);
        try {
            out.raw("{\"messages\":");
            MessagesTurns.write(body, out);
            MessagesTools.write(body, out);
            for (String name : COPIED) {
                copy(body, name, name, out);
            }
            writeStops(body, out);
            writeThinking(body, out);
            writeOutput(body, out);
            out.raw("}");
            return out;
        } catch (Throwable t) {
            out.close();
            throw t;
        }
    }

    /** Returns whether the answer shows what the model thinks; a client may ask for thinking and not want to see it. */
    static boolean showsThinking(RequestBody body) {
        JsonScanner json = body.json();
        Slice thinking = body.value("thinking", Kind.OBJECT);
        Slice display = thinking.isEmpty() ? Slice.EMPTY : json.member(thinking, "display");
        return display.isEmpty() || json.kind(display) != Kind.STRING || !json.textEquals(display, "omitted");
    }

    private static void checkMaxTokens(RequestBody body) {
        if (!body.has("max_tokens")) {
            throw RequestBody.invalid("max_tokens", "max_tokens is missing");
        }
        Slice value = body.value("max_tokens", Kind.NUMBER);
        if (body.json().integer(value).orElse(0) < 1) {
            throw RequestBody.invalid("max_tokens", "max_tokens must be an integer of at least 1");
        }
    }

    private static void copy(RequestBody body, String name, String as, SseWriter out) {
        if (body.has(name)) {
            out.raw(",\"").raw(as).raw("\":").raw(body.json().segment(body.value(name)));
        }
    }

    private static void writeStops(RequestBody body, SseWriter out) {
        Slice stops = body.value("stop_sequences", Kind.ARRAY);
        if (stops.isEmpty()) {
            return;
        }
        for (JsonScanner.Cursor each = body.json().elements(stops); each.next();) {
            if (body.json().kind(each.value()) != Kind.STRING) {
                throw RequestBody.invalid("stop_sequences", "stop_sequences must be an array of strings");
            }
        }
        copy(body, "stop_sequences", "stop", out);
    }

    /** A budget is a hint here: how long a model thinks is its own affair, and {@code max_tokens} bounds both. */
    private static void writeThinking(RequestBody body, SseWriter out) {
        JsonScanner json = body.json();
        Slice thinking = body.value("thinking", Kind.OBJECT);
        if (thinking.isEmpty()) {
            return;
        }
        switch (MessagesTurns.name(json, json.member(thinking, "type"), THINKING).orElse("")) {
            case "enabled" -> {
                Slice budget = json.member(thinking, "budget_tokens");
                if (budget.isEmpty() || json.kind(budget) != Kind.NUMBER || json.integer(budget).orElse(0) < 1) {
                    throw RequestBody.invalid("thinking", "thinking.budget_tokens must be a positive integer");
                }
                out.raw(",\"enable_thinking\":true");
            }
            case "adaptive" -> out.raw(",\"enable_thinking\":true");
            case "disabled" -> out.raw(",\"enable_thinking\":false");
            case "between_tools" -> throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "thinking",
                    "thinking of type between_tools is not supported");
            default -> throw RequestBody.invalid("thinking", "thinking.type must be enabled, disabled or adaptive");
        }
    }

    private static void writeOutput(RequestBody body, SseWriter out) {
        JsonScanner json = body.json();
        Slice config = body.value("output_config", Kind.OBJECT);
        Slice format = config.isEmpty() ? Slice.EMPTY : present(json, json.member(config, "format"));
        Slice older = body.value("output_format", Kind.OBJECT);
        if (!format.isEmpty() && !older.isEmpty()) {
            throw RequestBody.invalid("output_format", "output_format and output_config.format say the same thing; send one");
        }
        if (!format.isEmpty()) {
            writeFormat(json, format, "output_config", out);
        } else if (!older.isEmpty()) {
            writeFormat(json, older, "output_format", out);
        }
        Slice effort = config.isEmpty() ? Slice.EMPTY : present(json, json.member(config, "effort"));
        if (!effort.isEmpty()) {
            Optional<String> known = MessagesTurns.name(json, effort, EFFORTS);
            out.raw(",\"reasoning_effort\":\"").raw(known.orElseThrow(() -> RequestBody.invalid("output_config",
                    "output_config.effort must be low, medium, high, xhigh or max"))).raw("\"");
        }
    }

    private static void writeFormat(JsonScanner json, Slice format, String param, SseWriter out) {
        Slice type = json.kind(format) == Kind.OBJECT ? json.member(format, "type") : Slice.EMPTY;
        Slice schema = json.kind(format) == Kind.OBJECT ? json.member(format, "schema") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING || !json.textEquals(type, "json_schema")) {
            throw RequestBody.invalid(param, "the output format's type must be json_schema");
        }
        if (schema.isEmpty() || json.kind(schema) != Kind.OBJECT) {
            throw RequestBody.invalid(param, "the output format's schema must be an object");
        }
        out.raw(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"output\",\"strict\":true,\"schema\":")
                .raw(json.segment(schema)).raw("}}");
    }

    /** Returns a value, or {@link Slice#EMPTY} for {@code null}. */
    static Slice present(JsonScanner json, Slice value) {
        return value.isEmpty() || json.kind(value) == Kind.NULL ? Slice.EMPTY : value;
    }
}
