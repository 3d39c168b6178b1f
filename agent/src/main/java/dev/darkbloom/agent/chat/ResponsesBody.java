package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.util.List;
import java.util.Optional;

/** Rewrites the settings of a Responses request into those of a chat request; {@link ResponsesTurns} does the same for its items. */
final class ResponsesBody {
    /** Members that mean the same in both. */
    static final List<String> COPIED = List.of("model", "instructions", "parallel_tool_calls", "max_output_tokens", "temperature", "top_p", "stream",
            "reasoning", "seed", "stop", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repeat_penalty", "logit_bias",
            "ignore_eos", "chat_template_kwargs", "enable_thinking");

    private static final NameTable INCLUDABLE = NameTable.of(List.of("file_search_call.results", "web_search_call.results",
            "web_search_call.action.sources", "message.input_image.image_url", "computer_call_output.output.image_url",
            "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs"));
    private static final NameTable OTHER_TOOLS = NameTable.of(List.of("file_search", "computer", "computer_use_preview", "web_search",
            "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "mcp", "code_interpreter", "image_generation",
            "local_shell", "shell", "custom", "apply_patch", "namespace", "tool_search"));
    private static final List<String> FUNCTION = List.of("name", "description", "parameters", "strict");

    private final RequestBody body;
    private final JsonScanner json;
    private final SseWriter out;

    private ResponsesBody(RequestBody body, SseWriter out) {
        this.body = body;
        this.json = body.json();
        this.out = out;
    }

    /**
     * Writes the members of the chat request but for its messages, each with a comma behind it.
     *
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_PARAMETER} with what is not done here
     */
    static void writeSettings(RequestBody body, SseWriter out) {
        var settings = new ResponsesBody(body, out);
        for (String name : COPIED) {
            settings.copy(name, body.value(name));
        }
        settings.tools();
        settings.format();
        settings.logprobs();
        out.raw("\"add_generation_prompt\":true,");
    }

    /** Returns whether the oldest items may be left out where the conversation is too long. */
    static boolean truncates(RequestBody body) {
        return switch (body.word("truncation").orElse("disabled")) {
            case "auto" -> true;
            case "disabled" -> false;
            default -> throw RequestBody.invalid("truncation", "truncation must be auto or disabled");
        };
    }

    private void copy(String name, Slice value) {
        if (!value.isEmpty()) {
            out.raw("\"").raw(name).raw("\":").raw(json.segment(value)).raw(",");
        }
    }

    private void tools() {
        Slice tools = body.value("tools", Kind.ARRAY);
        Slice choice = body.value("tool_choice");
        boolean chosen = !choice.isEmpty() && json.kind(choice) == Kind.OBJECT;
        Slice type = chosen ? json.member(choice, "type") : Slice.EMPTY;
        if (chosen && (type.isEmpty() || json.kind(type) != Kind.STRING)) {
            throw RequestBody.invalid("tool_choice", "tool_choice.type is missing");
        }
        boolean allowed = chosen && json.textEquals(type, "allowed_tools");
        Slice names = allowed ? json.member(choice, "tools") : Slice.EMPTY;
        if (allowed && (names.isEmpty() || json.kind(names) != Kind.ARRAY)) {
            throw RequestBody.invalid("tool_choice", "tool_choice.tools must be an array");
        }
        if (!tools.isEmpty()) {
            out.raw("\"tools\":[");
            int written = 0;
            int index = 0;
            for (JsonScanner.Cursor each = json.elements(tools); each.next(); index++) {
                check(each.value(), index);
                if (!allowed || isAmong(names, json.member(each.value(), "name"))) {
                    out.raw(written++ == 0 ? "" : ",");
                    tool(each.value());
                }
            }
            out.raw("],");
        }
        if (!chosen) {
            copy("tool_choice", choice);
        } else if (allowed) {
            copy("tool_choice", json.member(choice, "mode"));
        } else if (json.textEquals(type, "function") && json.isText(json.member(choice, "name"))) {
            out.raw("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(json.member(choice, "name"))).raw("}},");
        } else {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tool_choice",
                    "tool_choice of type " + OTHER_TOOLS.find(json, type).orElse("other than function and allowed_tools") + " is not supported");
        }
    }

    private void check(Slice tool, int index) {
        Slice type = json.kind(tool) == Kind.OBJECT ? json.member(tool, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw RequestBody.invalid("tools", "tools[" + index + "].type is missing");
        }
        if (!json.textEquals(type, "function")) {
            String what = OTHER_TOOLS.find(json, type).map(name -> "is of type " + name).orElse("is not a function");
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tools", "tools[" + index + "] " + what + "; only functions are supported");
        }
        if (!json.isText(json.member(tool, "name"))) {
            throw RequestBody.invalid("tools", "tools[" + index + "].name is missing");
        }
    }

    private void tool(Slice tool) {
        out.raw("{\"type\":\"function\",\"function\":{");
        int members = 0;
        for (String name : FUNCTION) {
            Slice value = json.member(tool, name);
            if (!value.isEmpty() && json.kind(value) != Kind.NULL) {
                out.raw(members++ == 0 ? "\"" : ",\"").raw(name).raw("\":").raw(json.segment(value));
            }
        }
        out.raw("}}");
    }

    private boolean isAmong(Slice allowed, Slice name) {
        try (Content wanted = Content.confined(64); Content other = Content.confined(64)) {
            json.decode(name, wanted);
            for (JsonScanner.Cursor each = json.elements(allowed); each.next();) {
                Slice value = json.kind(each.value()) == Kind.OBJECT ? json.member(each.value(), "name") : Slice.EMPTY;
                if (json.isText(value)) {
                    other.clear();
                    json.decode(value, other);
                    if (other.length() == wanted.length() && other.segment().mismatch(wanted.segment()) < 0) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    private void format() {
        Slice text = body.value("text", Kind.OBJECT);
        checkVerbosity(text.isEmpty() ? Slice.EMPTY : json.member(text, "verbosity"));
        Slice format = text.isEmpty() ? Slice.EMPTY : json.member(text, "format");
        if (format.isEmpty() || json.kind(format) == Kind.NULL) {
            return;
        }
        Slice type = json.kind(format) == Kind.OBJECT ? json.member(format, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw RequestBody.invalid("text", "text.format.type must be text, json_object or json_schema");
        }
        if (!json.textEquals(type, "json_schema")) {
            out.raw("\"response_format\":{\"type\":").raw(json.segment(type)).raw("},");
            return;
        }
        if (json.member(format, "schema").isEmpty()) {
            throw RequestBody.invalid("text", "text.format.schema is missing");
        }
        out.raw("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":").raw(json.segment(format)).raw("},");
    }

    /** No template here has a word for it; the middle one is what a model does by itself. */
    private void checkVerbosity(Slice verbosity) {
        if (!verbosity.isEmpty() && json.kind(verbosity) != Kind.NULL
                && !(json.kind(verbosity) == Kind.STRING && json.textEquals(verbosity, "medium"))) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "text", "text.verbosity other than medium is not supported");
        }
    }

    private void logprobs() {
        Slice include = body.value("include", Kind.ARRAY);
        boolean wanted = false;
        if (!include.isEmpty()) {
            for (JsonScanner.Cursor each = json.elements(include); each.next();) {
                Optional<String> name = json.kind(each.value()) == Kind.STRING ? INCLUDABLE.find(json, each.value()) : Optional.empty();
                if (name.isEmpty()) {
                    throw RequestBody.invalid("include", "include names something that does not exist");
                }
                wanted |= name.get().equals("message.output_text.logprobs");
            }
        }
        if (wanted) {
            out.raw("\"logprobs\":true,");
            copy("top_logprobs", body.value("top_logprobs"));
        }
    }
}
