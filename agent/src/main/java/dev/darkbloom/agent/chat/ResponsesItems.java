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

/**
 * The conversation of a Responses request as one array of items, each with an id: the one before it, from the store, then its own
 * {@code input}. Request's thread.
 */
final class ResponsesItems {
    private static final NameTable TYPES = NameTable.of(List.of("message", "function_call", "function_call_output", "reasoning", "item_reference"));
    private static final NameTable OTHER_TYPES = NameTable.of(List.of("file_search_call", "computer_call", "computer_call_output", "web_search_call",
            "image_generation_call", "code_interpreter_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output",
            "apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call",
            "custom_tool_call", "custom_tool_call_output", "compaction"));
    private static final int MAX_ID_BYTES = 128;

    private final Optional<ResponseStore> store;
    private final String requestId;
    private final SseWriter out;
    private int count;
    private int ownFrom;

    private ResponsesItems(Optional<ResponseStore> store, String requestId, SseWriter out) {
        this.store = store;
        this.requestId = requestId;
        this.out = out;
    }

    /**
     * Writes the array to {@code out}; returns which item is the first of the request's own.
     *
     * @throws AgentException {@code INVALID_REQUEST}, {@code PREVIOUS_RESPONSE_NOT_FOUND}, {@code UNSUPPORTED_PARAMETER}
     */
    static int write(RequestBody body, Optional<ResponseStore> store, String requestId, SseWriter out) {
        var items = new ResponsesItems(store, requestId, out);
        out.raw("[");
        items.previous(body);
        items.ownFrom = items.count;
        items.own(body);
        out.raw("]");
        return items.ownFrom;
    }

    private void previous(RequestBody body) {
        Optional<String> id = body.has("previous_response_id")
                ? Optional.of(body.json().setting(body.value("previous_response_id", Kind.STRING), MAX_ID_BYTES).orElse(""))
                : Optional.empty();
        if (id.isEmpty()) {
            return;
        }
        try (Content object = Content.confined(1024); Content before = Content.confined(1024)) {
            boolean found = store.isPresent() && store.get().readItems(id.get(), before).isPresent();
            Optional<ResponseStore.State> state = found ? store.get().readObject(id.get(), object) : Optional.empty();
            if (state.isEmpty()) {
                throw AgentException.ofParam(ErrorCode.PREVIOUS_RESPONSE_NOT_FOUND, "previous_response_id", "no previous response with this id is kept here");
            }
            if (state.get() == ResponseStore.State.RUNNING) {
                throw RequestBody.invalid("previous_response_id", "the previous response has not ended yet");
            }
            JsonScanner items = JsonScanner.of(before.segment());
            copyAll(items, items.root());
            JsonScanner answer = JsonScanner.of(object.segment());
            copyAll(answer, answer.member(answer.root(), "output"));
        }
    }

    private void copyAll(JsonScanner json, Slice array) {
        for (JsonScanner.Cursor each = json.elements(array); each.next();) {
            next();
            out.raw(json.segment(each.value()));
        }
    }

    private void next() {
        out.raw(count == 0 ? "" : ",");
        count++;
    }

    private int index() {
        return count - ownFrom;
    }

    private void own(RequestBody body) {
        JsonScanner json = body.json();
        Slice input = body.value("input");
        if (input.isEmpty()) {
            throw RequestBody.invalid("input", "input is missing");
        }
        switch (json.kind(input)) {
            case STRING -> {
                begin("msg_", "message");
                out.raw(",\"status\":\"completed\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":").raw(json.segment(input)).raw("}]}");
            }
            case ARRAY -> {
                for (JsonScanner.Cursor each = json.elements(input); each.next();) {
                    item(json, each.value());
                }
                if (count == 0) {
                    throw RequestBody.invalid("input", "input is empty");
                }
            }
            default -> throw RequestBody.invalid("input", "input must be a string or an array of items");
        }
    }

    private void begin(String prefix, String type) {
        String id = prefix + requestId + "_i" + index();
        next();
        out.raw("{\"id\":\"").raw(id).raw("\",\"type\":\"").raw(type).raw("\"");
    }

    private void item(JsonScanner json, Slice item) {
        String name = "input[" + index() + "]";
        if (json.kind(item) != Kind.OBJECT) {
            throw RequestBody.invalid("input", name + " is not an object");
        }
        Slice type = json.member(item, "type");
        String known = type.isEmpty() || json.kind(type) == Kind.NULL ? "message" : type(json, type, name);
        switch (known) {
            case "message" -> message(json, item, name);
            case "item_reference" -> reference(json, item, name);
            default -> copy(json, item, known);
        }
    }

    private static String type(JsonScanner json, Slice type, String name) {
        Optional<String> known = json.kind(type) == Kind.STRING ? TYPES.find(json, type) : Optional.empty();
        if (known.isEmpty()) {
            Optional<String> other = json.kind(type) == Kind.STRING ? OTHER_TYPES.find(json, type) : Optional.empty();
            throw AgentException.ofParam(other.isPresent() ? ErrorCode.UNSUPPORTED_PARAMETER : ErrorCode.INVALID_REQUEST, "input",
                    name + other.map(what -> " is a " + what + ", which is not supported").orElse(" has a type that does not exist"));
        }
        return known.get();
    }

    /** Writes a message with its content as parts. */
    private void message(JsonScanner json, Slice item, String name) {
        Slice role = json.member(item, "role");
        Slice content = json.member(item, "content");
        if (role.isEmpty() || json.kind(role) != Kind.STRING) {
            throw RequestBody.invalid("input", name + ".role is missing");
        }
        if (content.isEmpty() || json.kind(content) != Kind.STRING && json.kind(content) != Kind.ARRAY) {
            throw RequestBody.invalid("input", name + ".content must be a string or an array of parts");
        }
        beginOf(json, item, "msg_", "message");
        out.raw(",\"status\":\"completed\",\"role\":").raw(json.segment(role)).raw(",\"content\":");
        if (json.kind(content) == Kind.ARRAY) {
            out.raw(json.segment(content));
        } else if (json.textEquals(role, "assistant")) {
            out.raw("[{\"type\":\"output_text\",\"text\":").raw(json.segment(content)).raw(",\"annotations\":[]}]");
        } else {
            out.raw("[{\"type\":\"input_text\",\"text\":").raw(json.segment(content)).raw("}]");
        }
        out.raw("}");
    }

    /** Writes another item as it is, with an id. */
    private void copy(JsonScanner json, Slice item, String type) {
        beginOf(json, item, type.equals("reasoning") ? "rs_" : "fc_", type);
        boolean hasStatus = false;
        for (JsonScanner.Cursor members = json.members(item); members.next();) {
            if (json.textEquals(members.key(), "id") || json.textEquals(members.key(), "type")) {
                continue;
            }
            if (json.textEquals(members.key(), "status")) {
                hasStatus = true;
            }
            out.raw(",").raw(json.segment(members.key())).raw(":").raw(json.segment(members.value()));
        }
        out.raw(hasStatus ? "}" : ",\"status\":\"completed\"}");
    }

    private void beginOf(JsonScanner json, Slice item, String prefix, String type) {
        Slice id = json.member(item, "id");
        if (!json.isText(id)) {
            begin(prefix, type);
            return;
        }
        next();
        out.raw("{\"id\":").raw(json.segment(id)).raw(",\"type\":\"").raw(type).raw("\"");
    }

    /** Writes the kept item that is referred to: ids of ours are {@code <kind>_<request>_<place>}. */
    private void reference(JsonScanner json, Slice item, String name) {
        Slice value = json.member(item, "id");
        String id = json.isText(value) ? json.setting(value, MAX_ID_BYTES).orElse("") : "";
        int kindEnd = id.indexOf('_');
        int placeStart = id.lastIndexOf('_');
        if (store.isPresent() && kindEnd > 0 && placeStart > kindEnd) {
            String response = ResponsesEndpoint.ID_PREFIX + id.substring(kindEnd + 1, placeStart);
            try (Content object = Content.confined(1024); Content asked = Content.confined(1024)) {
                if (store.get().readItems(response, asked).isPresent() && store.get().readObject(response, object).isPresent()) {
                    JsonScanner items = JsonScanner.of(asked.segment());
                    JsonScanner answer = JsonScanner.of(object.segment());
                    if (found(items, items.root(), id) || found(answer, answer.member(answer.root(), "output"), id)) {
                        return;
                    }
                }
            }
        }
        throw AgentException.ofParam(ErrorCode.NOT_FOUND, "input", name + " refers to an item that is not kept here");
    }

    private boolean found(JsonScanner json, Slice array, String id) {
        for (JsonScanner.Cursor each = json.elements(array); each.next();) {
            if (json.textEquals(json.member(each.value(), "id"), id)) {
                next();
                out.raw(json.segment(each.value()));
                return true;
            }
        }
        return false;
    }
}
