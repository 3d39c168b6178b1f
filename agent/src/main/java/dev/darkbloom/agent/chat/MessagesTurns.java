package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;

/**
 * Turns the system text and the turns of Anthropic's Messages API into OpenAI's chat messages.
 *
 * <p>The text blocks of one role that follow each other become one message, as the API says that turns of one role are combined. Tool uses
 * become the assistant's calls, tool results messages of their own, thoughts {@code reasoning_content}; what the service encrypted is left
 * out. What is collected is the inside of JSON strings, still escaped.
 */
final class MessagesTurns implements AutoCloseable {
    private static final NameTable ROLES = NameTable.of(List.of("user", "assistant", "system"));
    private static final NameTable BLOCKS = NameTable.of(List.of("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image",
            "document", "search_result", "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
            "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result", "container_upload",
            "mcp_tool_use", "mcp_tool_result", "compaction", "tool_reference", "browser_state"));
    private static final String ERROR = "Error";

    private final JsonScanner json;
    private final SseWriter out;
    private final SseWriter text;
    private final SseWriter reasoning;
    private final SseWriter calls;
    private final CalledNames called; // in the assistant's last turn
    private String role = "";
    private boolean hasText;
    private boolean hasWritten;

    private MessagesTurns(JsonScanner json, SseWriter out) {
        this.json = json;
        this.out = out;
        called = new CalledNames(json);
        text = SseWriter.allocate(1024);
        reasoning = SseWriter.allocate(64);
        calls = SseWriter.allocate(64);
    }

    /**
     * Writes the messages as a JSON array; borrows both.
     *
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_MEDIA}; the message says which block is wrong and quotes nothing
     */
    static void write(RequestBody body, SseWriter out) {
        try (var turns = new MessagesTurns(body.json(), out)) {
            turns.writeAll(body);
        }
    }

    /** Returns which of our names a value is, if it is a string at all. */
    static Optional<String> name(JsonScanner json, Slice value, NameTable names) {
        return value.isEmpty() || json.kind(value) != Kind.STRING ? Optional.empty() : names.find(json, value);
    }

    private void writeAll(RequestBody body) {
        Slice messages = body.value("messages", Kind.ARRAY);
        if (messages.isEmpty()) {
            throw invalid("messages is missing");
        }
        out.raw("[");
        Slice system = body.value("system");
        if (!system.isEmpty()) {
            become("system");
            addTexts(system, new Place("system", -1, ""));
        }
        int index = 0;
        for (JsonScanner.Cursor each = json.elements(messages); each.next(); index++) {
            addTurn(each.value(), index);
        }
        if (index == 0) {
            throw invalid("messages is empty");
        }
        flush();
        out.raw("]");
    }

    private void addTurn(Slice turn, int index) {
        var place = new Place("messages", index, ".content");
        String said = json.kind(turn) != Kind.OBJECT ? "" : name(json, json.member(turn, "role"), ROLES).orElse("");
        if (said.isEmpty()) {
            throw invalid("messages[" + index + "].role must be user or assistant");
        }
        become(said);
        Slice content = json.member(turn, "content");
        if (said.equals("system")) {
            addTexts(content, place);
            return;
        }
        switch (content.isEmpty() ? Kind.NULL : json.kind(content)) {
            case STRING -> addText(content);
            case ARRAY -> addBlocks(content, place);
            default -> throw invalid(place + " must be a string or an array of blocks");
        }
    }

    private void addBlocks(Slice blocks, Place place) {
        int index = 0;
        for (JsonScanner.Cursor each = json.elements(blocks); each.next(); index++) {
            addBlock(each.value(), place.block(index));
        }
        if (index == 0 && !role.equals("assistant")) {
            throw invalid(place + " is empty");
        }
    }

    private void addBlock(Slice block, Place place) {
        boolean assistant = role.equals("assistant");
        switch (type(block, place)) {
            case "text" -> addText(member(block, "text", Kind.STRING, place));
            case "thinking" -> {
                require(assistant, place, "a thinking block");
                append(reasoning, member(block, "thinking", Kind.STRING, place), reasoning.length() > 0);
            }
            case "redacted_thinking" -> require(assistant, place, "a redacted_thinking block");
            case "tool_use" -> {
                require(assistant, place, "a tool_use block");
                addCall(block, place);
            }
            case "tool_result" -> {
                require(!assistant, place, "a tool_result block");
                writeResult(block, place);
            }
            case String other -> throw unsupported(other, place);
        }
    }

    private static void require(boolean holds, Place place, String block) {
        if (!holds) {
            throw invalid(place + " is " + block + ", which belongs into a turn of the other role");
        }
    }

    private AgentException unsupported(String type, Place place) {
        if (type.equals("image") || type.equals("document")) {
            return AgentException.ofParam(ErrorCode.UNSUPPORTED_MEDIA, "messages",
                    "unsupported media: " + place + " is a block of type " + type + "; this model reads text only");
        }
        return AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "messages",
                place + " is a block of type " + type + ", which is not supported");
    }

    /** Adds a text, or an array of text blocks. */
    private void addTexts(Slice texts, Place place) {
        switch (texts.isEmpty() ? Kind.NULL : json.kind(texts)) {
            case STRING -> addText(texts);
            case ARRAY -> {
                int index = 0;
                for (JsonScanner.Cursor each = json.elements(texts); each.next(); index++) {
                    Place block = place.block(index);
                    String type = type(each.value(), block);
                    if (!type.equals("text")) {
                        throw unsupported(type, block);
                    }
                    addText(member(each.value(), "text", Kind.STRING, block));
                }
            }
            default -> throw invalid(place + " must be a string or an array of text blocks");
        }
    }

    private void addText(Slice string) {
        if (calls.length() > 0) {
            flush(); // a message's text stands before its calls; what comes after them is another one
        }
        append(text, string, hasText);
        hasText = true;
    }

    /** Appends the inside of a string; a line of its own where something stands already. */
    private void append(SseWriter target, Slice string, boolean follows) {
        target.raw(follows ? "\\n" : "").raw(json.text(), string.offset() + 1, string.length() - 2);
    }

    /** Adds a call; its input becomes the text of its JSON. */
    private void addCall(Slice block, Place place) {
        Slice id = member(block, "id", Kind.STRING, place);
        Slice name = member(block, "name", Kind.STRING, place);
        Slice input = member(block, "input", Kind.OBJECT, place);
        if (json.isEmptyText(name)) {
            throw invalid(place + ".name is empty");
        }
        called.add(id, name);
        calls.raw(calls.length() == 0 ? "" : ",").raw("{\"id\":").raw(json.segment(id))
                .raw(",\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(name))
                .raw(",\"arguments\":\"").escaped(json.text(), input.offset(), input.length()).raw("\"}}");
    }

    private void writeResult(Slice block, Place place) {
        flush();
        Slice id = member(block, "tool_use_id", Kind.STRING, place);
        Slice content = MessagesBody.present(json, json.member(block, "content"));
        if (!content.isEmpty()) {
            addTexts(content, place.member(".content"));
        }
        Slice error = MessagesBody.present(json, json.member(block, "is_error"));
        boolean failed = !error.isEmpty() && json.kind(error) == Kind.TRUE;
        begin("tool").raw(",\"tool_call_id\":").raw(json.segment(id));
        Slice name = called.of(id);
        if (!name.isEmpty()) {
            out.raw(",\"name\":").raw(json.segment(name)); // some templates want it, and results have only the id
        }
        out.raw(",\"content\":\"");
        if (failed && !saysError()) {
            out.raw(text.length() == 0 ? ERROR : ERROR + ": "); // chat messages have no mark of their own for it
        }
        out.raw(text).raw("\"}");
        text.reset();
        hasText = false;
    }

    private boolean saysError() {
        MemorySegment said = text.buffer();
        boolean same = text.length() >= ERROR.length();
        for (int i = 0; same && i < ERROR.length(); i++) {
            same = (said.get(ValueLayout.JAVA_BYTE, i) | 0x20) == (ERROR.charAt(i) | 0x20);
        }
        return same;
    }

    private void become(String next) {
        if (!role.equals(next)) {
            flush();
            role = next;
            if (next.equals("assistant")) {
                called.clear();
            }
        }
    }

    /** Writes the message collected so far, if it says anything. */
    private void flush() {
        if (role.equals("assistant")) {
            if (text.length() + reasoning.length() + calls.length() > 0) {
                writeAssistant();
            }
        } else if (hasText) {
            begin(role).raw(",\"content\":\"").raw(text).raw("\"}");
        }
        text.reset();
        reasoning.reset();
        calls.reset();
        hasText = false;
    }

    private void writeAssistant() {
        begin("assistant");
        if (reasoning.length() > 0) {
            out.raw(",\"reasoning_content\":\"").raw(reasoning).raw("\"");
        }
        out.raw(",\"content\":\"").raw(text).raw("\"");
        if (calls.length() > 0) {
            out.raw(",\"tool_calls\":[").raw(calls).raw("]");
        }
        out.raw("}");
    }

    private SseWriter begin(String who) {
        out.raw(hasWritten ? "," : "").raw("{\"role\":\"").raw(who).raw("\"");
        hasWritten = true;
        return out;
    }

    private String type(Slice block, Place place) {
        Slice type = json.kind(block) == Kind.OBJECT ? json.member(block, "type") : Slice.EMPTY;
        return name(json, type, BLOCKS).orElseThrow(() -> invalid(place + " is not a block of a type that is known here"));
    }

    private Slice member(Slice block, String name, Kind kind, Place place) {
        Slice value = json.member(block, name);
        if (value.isEmpty() || json.kind(value) != kind) {
            throw invalid(place + "." + name + " must be " + (kind == Kind.OBJECT ? "an object" : "a string"));
        }
        return value;
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("messages", message);
    }

    @Override
    public void close() {
        text.close();
        reasoning.close();
        calls.close();
    }

    /**
     * Where in the request something stands, for an error's text.
     *
     * @param turn place of the turn, or -1
     */
    private record Place(String member, int turn, String rest) {
        private Place block(int index) {
            return member("[" + index + "]");
        }

        private Place member(String more) {
            return new Place(member, turn, rest + more);
        }

        @Override
        public String toString() {
            return member + (turn < 0 ? "" : "[" + turn + "]") + rest;
        }
    }
}
