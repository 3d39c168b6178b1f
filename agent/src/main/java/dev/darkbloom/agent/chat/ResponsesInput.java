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
 * Writes the {@code input} of a Responses request as chat messages, and as the list of items that can be asked for later. What the model said
 * in consecutive items (a thought, text, calls) becomes one message of the assistant's.
 *
 * <p>Owned by the request; one thread.
 */
final class ResponsesInput implements AutoCloseable {
    private static final NameTable ROLES = NameTable.of(List.of("user", "assistant", "system", "developer"));
    private static final NameTable TYPES = NameTable.of(List.of("message", "function_call", "function_call_output", "reasoning"));
    private static final NameTable OTHER_TYPES = NameTable.of(List.of("item_reference", "additional_tools", "apply_patch_call", "apply_patch_call_output",
            "code_interpreter_call", "compaction", "compaction_trigger", "computer_call", "computer_call_output", "custom_tool_call",
            "custom_tool_call_output", "file_search_call", "image_generation_call", "local_shell_call", "local_shell_call_output",
            "mcp_approval_request", "mcp_approval_response", "mcp_call", "mcp_list_tools", "program", "program_output", "shell_call",
            "shell_call_output", "tool_search_call", "tool_search_output", "web_search_call"));
    private static final NameTable TEXT_PARTS = NameTable.of(List.of("input_text", "output_text", "text"));
    private static final NameTable MEDIA_PARTS = NameTable.of(List.of("input_image", "input_file", "input_audio"));

    private final JsonScanner json;
    private final String responseId;
    private final SseWriter messages;
    private final SseWriter items;

    /** What the assistant's open message holds so far: its text's parts, its thought, its calls. */
    private final SseWriter parts = SseWriter.allocate(64);
    private final SseWriter thought = SseWriter.allocate(64);
    private final SseWriter calls = SseWriter.allocate(64);
    private boolean assistant;
    private int count;

    private ResponsesInput(JsonScanner json, String responseId, SseWriter messages, SseWriter items) {
        this.json = json;
        this.responseId = responseId;
        this.messages = messages;
        this.items = items;
    }

    /**
     * Writes both.
     *
     * @param responseId stands in the ids of items that have none
     * @param messages gets chat messages with commas between them, and one before the first where it is not empty
     * @param items gets the items with commas between them
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_MEDIA} or {@code UNSUPPORTED_PARAMETER}
     */
    static void write(RequestBody body, String responseId, SseWriter messages, SseWriter items) {
        JsonScanner json = body.json();
        Slice input = body.value("input");
        if (input.isEmpty()) {
            throw invalid("input is missing");
        }
        try (var writer = new ResponsesInput(json, responseId, messages, items)) {
            switch (json.kind(input)) {
                case STRING -> writer.addUserText(input);
                case ARRAY -> writer.addItems(input);
                default -> throw invalid("input must be a string or an array of items");
            }
        }
    }

    private void addUserText(Slice text) {
        beginMessage("user").raw(json.segment(text)).raw("}");
        beginItem(Slice.EMPTY, "msg").raw(",\"type\":\"message\",\"status\":\"completed\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":")
                .raw(json.segment(text)).raw("}]}");
    }

    private void addItems(Slice all) {
        for (JsonScanner.Cursor each = json.elements(all); each.next();) {
            Slice item = each.value();
            if (json.kind(item) != Kind.OBJECT) {
                throw invalid(place() + " is not an object");
            }
            switch (type(item)) {
                case "message" -> addMessage(item);
                case "function_call" -> addCall(item);
                case "function_call_output" -> addCallOutput(item);
                default -> addThought(item);
            }
        }
        if (count == 0) {
            throw invalid("input is empty");
        }
        endAssistant();
    }

    private String type(Slice item) {
        Slice type = MessagesBody.present(json, json.member(item, "type"));
        if (type.isEmpty()) {
            return "message";
        }
        if (json.kind(type) != Kind.STRING) {
            throw invalid(place() + ".type must be a string");
        }
        Optional<String> other = OTHER_TYPES.find(json, type);
        if (other.isPresent()) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "input", "items of type " + other.get() + " are not supported");
        }
        return TYPES.find(json, type).orElseThrow(() -> invalid(place() + ".type is not known"));
    }

    private void addMessage(Slice item) {
        Slice said = json.member(item, "role");
        Optional<String> role = said.isEmpty() || json.kind(said) != Kind.STRING ? Optional.empty() : ROLES.find(json, said);
        if (role.isEmpty()) {
            throw invalid(place() + ".role must be user, assistant, system or developer");
        }
        Slice content = json.member(item, "content");
        if (content.isEmpty()) {
            throw invalid(place() + ".content is missing");
        }
        SseWriter to = parts;
        if (role.get().equals("assistant")) {
            assistant = true;
        } else {
            endAssistant();
            to = beginMessage(role.get());
        }
        SseWriter own = to == parts ? to : to.raw("[");
        int before = 0;
        if (json.kind(content) == Kind.STRING) {
            own.raw(to == parts && parts.length() > 0 ? "," : "").raw("{\"type\":\"text\",\"text\":").raw(json.segment(content)).raw("}");
        } else if (json.kind(content) == Kind.ARRAY) {
            for (JsonScanner.Cursor each = json.elements(content); each.next(); before++) {
                own.raw(before > 0 || to == parts && parts.length() > 0 ? "," : "").raw("{\"type\":\"text\",\"text\":").raw(json.segment(text(each.value()))).raw("}");
            }
        } else {
            throw invalid(place() + ".content must be a string or an array of parts");
        }
        if (to != parts) {
            own.raw("]}");
        }
        listMessage(item, role.get(), content);
    }

    /** Returns the text of a part. */
    private Slice text(Slice part) {
        Slice type = json.kind(part) == Kind.OBJECT ? json.member(part, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw invalid(place() + ".content has a part without a type");
        }
        Optional<String> media = MEDIA_PARTS.find(json, type);
        if (media.isPresent()) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_MEDIA, "input",
                    place() + ".content has a part of type " + media.get() + "; this model reads text only");
        }
        boolean refusal = json.textEquals(type, "refusal");
        if (!refusal && TEXT_PARTS.find(json, type).isEmpty()) {
            throw invalid(place() + ".content has a part whose type is not input_text or output_text");
        }
        Slice text = json.member(part, refusal ? "refusal" : "text");
        if (text.isEmpty() || json.kind(text) != Kind.STRING) {
            throw invalid(place() + ".content has a text part without text");
        }
        return text;
    }

    private void listMessage(Slice item, String role, Slice content) {
        SseWriter out = beginItem(item, "msg").raw(",\"type\":\"message\",\"status\":\"completed\",\"role\":\"").raw(role).raw("\",\"content\":");
        if (json.kind(content) == Kind.STRING) {
            out.raw(role.equals("assistant") ? "[{\"type\":\"output_text\",\"annotations\":[],\"text\":" : "[{\"type\":\"input_text\",\"text\":")
                    .raw(json.segment(content)).raw("}]}");
        } else {
            out.raw(json.segment(content)).raw("}");
        }
    }

    private void addCall(Slice item) {
        assistant = true;
        Slice id = string(item, "call_id");
        Slice name = string(item, "name");
        Slice arguments = string(item, "arguments");
        calls.raw(calls.length() > 0 ? "," : "").raw("{\"id\":").raw(json.segment(id)).raw(",\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(name))
                .raw(",\"arguments\":").raw(json.segment(arguments)).raw("}}");
        beginItem(item, "fc").raw(",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":").raw(json.segment(id)).raw(",\"name\":")
                .raw(json.segment(name)).raw(",\"arguments\":").raw(json.segment(arguments)).raw("}");
    }

    private void addCallOutput(Slice item) {
        endAssistant();
        Slice id = string(item, "call_id");
        Slice output = json.member(item, "output");
        SseWriter out = beginMessage("tool");
        if (!output.isEmpty() && json.kind(output) == Kind.STRING) {
            out.raw(json.segment(output));
        } else if (!output.isEmpty() && json.kind(output) == Kind.ARRAY) {
            out.raw("[");
            boolean first = true;
            for (JsonScanner.Cursor each = json.elements(output); each.next(); first = false) {
                out.raw(first ? "" : ",").raw("{\"type\":\"text\",\"text\":").raw(json.segment(text(each.value()))).raw("}");
            }
            out.raw("]");
        } else {
            throw invalid(place() + ".output must be a string or an array of parts");
        }
        out.raw(",\"tool_call_id\":").raw(json.segment(id)).raw("}");
        beginItem(item, "fco").raw(",\"type\":\"function_call_output\",\"status\":\"completed\",\"call_id\":").raw(json.segment(id)).raw(",\"output\":")
                .raw(json.segment(output)).raw("}");
    }

    /** A thought's text stands before the message that follows; its summary only where the text itself is not there. */
    private void addThought(Slice item) {
        assistant = true;
        if (!addThoughtTexts(json.member(item, "content"))) {
            addThoughtTexts(json.member(item, "summary"));
        }
        SseWriter out = beginItem(item, "rs").raw(",\"type\":\"reasoning\"");
        for (String name : List.of("summary", "content")) {
            Slice texts = MessagesBody.present(json, json.member(item, name));
            if (!texts.isEmpty()) {
                out.raw(",\"").raw(name).raw("\":").raw(json.segment(texts));
            } else if (name.equals("summary")) {
                out.raw(",\"summary\":[]");
            }
        }
        out.raw("}");
    }

    private boolean addThoughtTexts(Slice texts) {
        boolean any = false;
        if (!texts.isEmpty() && json.kind(texts) == Kind.ARRAY) {
            for (JsonScanner.Cursor each = json.elements(texts); each.next();) {
                Slice text = json.kind(each.value()) == Kind.OBJECT ? json.member(each.value(), "text") : Slice.EMPTY;
                if (!text.isEmpty() && json.kind(text) == Kind.STRING) {
                    thought.raw(thought.length() > 0 ? "\\n" : "").raw(json.text(), text.offset() + 1, text.length() - 2);
                    any = true;
                }
            }
        }
        return any;
    }

    private Slice string(Slice item, String name) {
        Slice value = json.member(item, name);
        if (value.isEmpty() || json.kind(value) != Kind.STRING) {
            throw invalid(place() + "." + name + " must be a string");
        }
        return value;
    }

    /** Begins a message up to its content. */
    private SseWriter beginMessage(String role) {
        return messages.raw(messages.length() > 0 ? "," : "").raw("{\"role\":\"").raw(role).raw("\",\"content\":");
    }

    private void endAssistant() {
        if (!assistant) {
            return;
        }
        beginMessage("assistant");
        if (parts.length() > 0) {
            messages.raw("[").raw(parts).raw("]");
        } else {
            messages.raw("\"\"");
        }
        if (thought.length() > 0) {
            messages.raw(",\"reasoning_content\":\"").raw(thought).raw("\"");
        }
        if (calls.length() > 0) {
            messages.raw(",\"tool_calls\":[").raw(calls).raw("]");
        }
        messages.raw("}");
        parts.reset();
        thought.reset();
        calls.reset();
        assistant = false;
    }

    /** Begins an item of the list with its id: the client's own, or one of ours. */
    private SseWriter beginItem(Slice item, String prefix) {
        Slice id = item.isEmpty() ? Slice.EMPTY : json.member(item, "id");
        items.raw(count > 0 ? "," : "").raw("{\"id\":");
        if (json.isText(id)) {
            items.raw(json.segment(id));
        } else {
            items.setting(prefix + "_" + responseId + "_in" + count);
        }
        count++;
        return items;
    }

    private String place() {
        return "input[" + count + "]";
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("input", message);
    }

    @Override
    public void close() {
        parts.close();
        thought.close();
        calls.close();
    }
}
