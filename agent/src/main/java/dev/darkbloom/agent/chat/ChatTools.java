package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.llama.ChatTemplate.ToolChoice;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The tools of a chat request and which of them must be called. A choice by name is the same as that one tool, required.
 *
 * <p>Owned by the request; {@link #segment} lives as long as the body and this.
 */
final class ChatTools implements AutoCloseable {
    private static final NameTable MODES = NameTable.of(List.of("auto", "none", "required"));

    private final MemorySegment view;
    private final Content rewritten;
    private final ToolChoice choice;
    private final List<Strict> strict;

    /** The parameters of a tool that asks for {@code strict}, by its place among the tools; a view of the body. */
    private record Strict(int index, MemorySegment parameters) {}

    private ChatTools(MemorySegment view, Content rewritten, ToolChoice choice, List<Strict> strict) {
        this.view = view;
        this.rewritten = rewritten;
        this.choice = choice;
        this.strict = List.copyOf(strict);
    }

    /** Reads {@code tools} and {@code tool_choice}. */
    static ChatTools read(RequestBody body) {
        JsonScanner json = body.json();
        Slice tools = body.value("tools", Kind.ARRAY);
        int count = 0;
        List<Strict> strict = new ArrayList<>();
        if (!tools.isEmpty()) {
            for (JsonScanner.Cursor each = json.elements(tools); each.next(); count++) {
                check(json, each.value(), count);
                if (isStrict(json, each.value(), count)) {
                    strict.add(new Strict(count, json.segment(json.member(json.member(each.value(), "function"), "parameters"))));
                }
            }
        }
        MemorySegment view = count == 0 ? MemorySegment.NULL : json.segment(tools);
        Slice choice = body.value("tool_choice");
        if (choice.isEmpty()) {
            return new ChatTools(view, Content.confined(1), count == 0 ? ToolChoice.NONE : ToolChoice.AUTO, strict);
        }
        if (json.kind(choice) == Kind.OBJECT) {
            return named(json, tools, choice, strict);
        }
        Optional<String> mode = json.kind(choice) == Kind.STRING ? MODES.find(json, choice) : Optional.empty();
        ToolChoice read = switch (mode.orElse("")) {
            case "auto" -> ToolChoice.AUTO;
            case "none" -> ToolChoice.NONE;
            case "required" -> ToolChoice.REQUIRED;
            default -> throw invalid("tool_choice must be auto, none, required or a function");
        };
        if (count == 0 && read == ToolChoice.REQUIRED) {
            throw invalid("tool_choice is required, but there are no tools");
        }
        return new ChatTools(view, Content.confined(1), count == 0 ? ToolChoice.NONE : read, strict);
    }

    private static void check(JsonScanner json, Slice tool, int index) {
        Slice type = json.kind(tool) == Kind.OBJECT ? json.member(tool, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw RequestBody.invalid("tools", "tools[" + index + "].type is missing");
        }
        if (!json.textEquals(type, "function")) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tools",
                    "tools[" + index + "] is not a function; other tools are not supported");
        }
        Slice function = json.member(tool, "function");
        if (function.isEmpty() || json.kind(function) != Kind.OBJECT || !json.isText(json.member(function, "name"))) {
            throw RequestBody.invalid("tools", "tools[" + index + "].function.name is missing");
        }
        Slice parameters = json.member(function, "parameters");
        if (!parameters.isEmpty() && json.kind(parameters) != Kind.OBJECT && json.kind(parameters) != Kind.NULL) {
            throw RequestBody.invalid("tools", "tools[" + index + "].function.parameters must be an object");
        }
    }

    /** Whether the tool asks for arguments that are valid under all of its parameters' schema, and has one. */
    private static boolean isStrict(JsonScanner json, Slice tool, int index) {
        Slice function = json.member(tool, "function");
        Slice strict = json.member(function, "strict");
        if (strict.isEmpty() || json.kind(strict) == Kind.NULL) {
            return false;
        }
        if (json.kind(strict) != Kind.TRUE && json.kind(strict) != Kind.FALSE) {
            throw RequestBody.invalid("tools", "tools[" + index + "].function.strict must be a boolean");
        }
        Slice parameters = json.member(function, "parameters");
        return json.kind(strict) == Kind.TRUE && !parameters.isEmpty() && json.kind(parameters) == Kind.OBJECT;
    }

    private static ChatTools named(JsonScanner json, Slice tools, Slice choice, List<Strict> strict) {
        Slice type = json.member(choice, "type");
        Slice function = json.member(choice, "function");
        if (type.isEmpty() || json.kind(type) != Kind.STRING || !json.textEquals(type, "function")) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tool_choice", "tool_choice of this type is not supported");
        }
        Slice name = function.isEmpty() || json.kind(function) != Kind.OBJECT ? Slice.EMPTY : json.member(function, "name");
        if (!json.isText(name)) {
            throw invalid("tool_choice.function.name is missing");
        }
        Slice found = tools.isEmpty() ? Slice.EMPTY : find(json, tools, name);
        if (found.isEmpty()) {
            throw invalid("tool_choice names a function that is not among the tools");
        }
        Content one = Content.confined(found.length() + 2);
        one.append((byte) '[');
        one.append(json.text(), found.offset(), found.length());
        one.append((byte) ']');
        return new ChatTools(one.segment(), one, ToolChoice.REQUIRED, strict);
    }

    private static Slice find(JsonScanner json, Slice tools, Slice name) {
        try (Content wanted = Content.confined(name.length()); Content other = Content.confined(name.length())) {
            json.decode(name, wanted);
            for (JsonScanner.Cursor each = json.elements(tools); each.next();) {
                other.clear();
                json.decode(json.member(json.member(each.value(), "function"), "name"), other);
                if (other.length() == wanted.length() && other.segment().mismatch(wanted.segment()) < 0) {
                    return each.value();
                }
            }
        }
        return Slice.EMPTY;
    }

    /**
     * Refuses a strict tool whose schema cannot be enforced whole; one that is not strict loses the keywords that are not enforced.
     *
     * @throws AgentException {@code INVALID_SCHEMA}, with the tool's place among the tools, the keyword, and its place in the schema
     */
    void check(Tokenizer tokenizer) {
        for (Strict tool : strict) {
            try {
                tokenizer.checkSchema(tool.parameters());
            } catch (AgentException e) {
                throw AgentException.ofParam(e.code(), "tools", "tools[" + tool.index() + "].function.parameters: " + e.getMessage());
            }
        }
    }

    /** Returns the tools as a JSON array, or {@link MemorySegment#NULL} when there are none. */
    MemorySegment segment() {
        return view;
    }

    ToolChoice choice() {
        return choice;
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("tool_choice", message);
    }

    @Override
    public void close() {
        rewritten.close();
    }
}
