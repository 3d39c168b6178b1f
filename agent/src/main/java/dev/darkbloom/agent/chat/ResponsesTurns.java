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
 * Items of the Responses API as messages of a chat: what the assistant thought, said and called in a row is one message.
 *
 * <p>Strings are copied as they are written, without their quotes: pieces of JSON strings one after the other are one JSON string.
 */
final class ResponsesTurns implements AutoCloseable {
    private static final NameTable ROLES = NameTable.of(List.of("user", "assistant", "system", "developer"));
    private static final NameTable TEXT_PARTS = NameTable.of(List.of("input_text", "output_text", "text", "summary_text", "reasoning_text"));
    private static final NameTable MEDIA_PARTS = NameTable.of(List.of("input_image", "input_file", "input_audio", "computer_screenshot"));

    private final JsonScanner json;
    private final SseWriter out;
    private final SseWriter reasoning = SseWriter.allocate(64);
    private final SseWriter text = SseWriter.allocate(256);
    private final SseWriter calls = SseWriter.allocate(64);
    private final CalledNames called;
    private int messages;
    private boolean hasText;

    private ResponsesTurns(JsonScanner json, SseWriter out) {
        this.json = json;
        this.out = out;
        called = new CalledNames(json);
    }

    /**
     * Writes the messages as a JSON array to {@code out}.
     *
     * @param items a JSON array of items
     * @param skipped how many items to leave out in front; system and developer messages stay
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_MEDIA}
     */
    static void write(JsonScanner items, int skipped, SseWriter out) {
        try (var turns = new ResponsesTurns(items, out)) {
            out.raw("[");
            int index = 0;
            for (JsonScanner.Cursor each = items.elements(items.root()); each.next(); index++) {
                if (index >= skipped || turns.isSystem(each.value())) {
                    turns.item(each.value());
                }
            }
            turns.flush();
            out.raw("]");
        }
    }

    private boolean isSystem(Slice item) {
        Slice role = json.member(item, "role");
        return !role.isEmpty() && json.kind(role) == Kind.STRING && (json.textEquals(role, "system") || json.textEquals(role, "developer"));
    }

    private void item(Slice item) {
        Slice type = json.member(item, "type");
        if (json.textEquals(type, "message")) {
            message(item);
        } else if (json.textEquals(type, "function_call")) {
            call(item);
        } else if (json.textEquals(type, "function_call_output")) {
            output(item);
        } else {
            reasoning(item);
        }
    }

    private void message(Slice item) {
        Slice slice = json.member(item, "role");
        String role = ROLES.find(json, slice).orElseThrow(() -> invalid("a message's role must be user, assistant, system or developer"));
        if (role.equals("assistant")) {
            if (hasText || calls.length() > 0) {
                flush();
            }
            hasText = true;
            parts(json.member(item, "content"), text);
            return;
        }
        flush();
        begin(role);
        parts(json.member(item, "content"), out);
        out.raw("\"}");
    }

    private void begin(String role) {
        out.raw(messages++ == 0 ? "" : ",").raw("{\"role\":\"").raw(role).raw("\",\"content\":\"");
    }

    private void call(Slice item) {
        Slice name = json.member(item, "name");
        Slice id = json.member(item, "call_id");
        Slice arguments = json.member(item, "arguments");
        if (!json.isText(name) || !json.isText(id) || arguments.isEmpty() || json.kind(arguments) != Kind.STRING) {
            throw invalid("a function_call needs call_id, name and arguments, each a string");
        }
        called.add(id, name);
        calls.raw(calls.length() == 0 ? "" : ",").raw("{\"id\":").raw(json.segment(id)).raw(",\"type\":\"function\",\"function\":{\"name\":")
                .raw(json.segment(name)).raw(",\"arguments\":").raw(json.segment(arguments)).raw("}}");
    }

    private void output(Slice item) {
        Slice id = json.member(item, "call_id");
        Slice output = json.member(item, "output");
        if (!json.isText(id) || output.isEmpty()) {
            throw invalid("a function_call_output needs call_id and output");
        }
        flush();
        out.raw(messages++ == 0 ? "" : ",").raw("{\"role\":\"tool\",\"tool_call_id\":").raw(json.segment(id));
        Slice name = called.of(id);
        if (!name.isEmpty()) {
            out.raw(",\"name\":").raw(json.segment(name));
        }
        out.raw(",\"content\":\"");
        parts(output, out);
        out.raw("\"}");
    }

    private void reasoning(Slice item) {
        if (hasText || calls.length() > 0) {
            flush();
        }
        Slice content = json.member(item, "content");
        Slice summary = json.member(item, "summary");
        if (!content.isEmpty() && json.kind(content) == Kind.ARRAY && json.count(content) > 0) {
            parts(content, reasoning);
        } else if (!summary.isEmpty() && json.kind(summary) == Kind.ARRAY) {
            parts(summary, reasoning);
        }
    }

    /** Appends the text of a string or of parts, escaped as it was. */
    private void parts(Slice content, SseWriter target) {
        switch (json.kind(content)) {
            case STRING -> inside(content, target);
            case ARRAY -> {
                for (JsonScanner.Cursor each = json.elements(content); each.next();) {
                    inside(textOf(each.value()), target);
                }
            }
            default -> throw invalid("content must be a string or an array of parts");
        }
    }

    private Slice textOf(Slice part) {
        Slice type = json.kind(part) == Kind.OBJECT ? json.member(part, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw invalid("a part has no type");
        }
        Optional<String> media = MEDIA_PARTS.find(json, type);
        if (media.isPresent()) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_MEDIA, "input",
                    "input has a part of type " + media.get() + "; this model reads text only");
        }
        boolean refusal = json.textEquals(type, "refusal");
        if (!refusal && TEXT_PARTS.find(json, type).isEmpty()) {
            throw invalid("a part's type must be input_text or output_text");
        }
        Slice value = json.member(part, refusal ? "refusal" : "text");
        if (value.isEmpty() || json.kind(value) != Kind.STRING) {
            throw invalid("a text part has no text");
        }
        return value;
    }

    private void inside(Slice string, SseWriter target) {
        target.raw(json.text(), string.offset() + 1, string.length() - 2);
    }

    /** Writes what the assistant did since its last message, if anything. */
    private void flush() {
        if (hasText || calls.length() > 0) {
            begin("assistant");
            out.raw(text).raw("\"");
            if (reasoning.length() > 0) {
                out.raw(",\"reasoning_content\":\"").raw(reasoning).raw("\"");
            }
            if (calls.length() > 0) {
                out.raw(",\"tool_calls\":[").raw(calls).raw("]");
            }
            out.raw("}");
        }
        hasText = false;
        text.reset();
        reasoning.reset();
        calls.reset();
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("input", "input has an item that cannot be read: " + message);
    }

    @Override
    public void close() {
        reasoning.close();
        text.close();
        calls.close();
    }
}
