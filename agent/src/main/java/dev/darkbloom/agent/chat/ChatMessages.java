package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * The messages of a chat request: checked so far that the native reader gets what it expects, and otherwise passed on as they are.
 *
 * <p>Owned by the request; {@link #segment} lives as long as the body and this.
 */
final class ChatMessages implements AutoCloseable {
    private static final NameTable ROLES = NameTable.of(List.of("system", "developer", "user", "assistant", "tool", "function"));
    private static final NameTable TEXT_PARTS = NameTable.of(List.of("text"));
    private static final NameTable MEDIA_PARTS = NameTable.of(List.of("image_url", "input_image", "image", "input_audio", "audio", "input_video",
            "video_url", "video", "input_file", "file", "document"));

    private final MemorySegment view;
    private final Content rewritten;
    private final boolean endsWithAssistant;
    private final int count;
    private final long leastBytes;

    private ChatMessages(MemorySegment view, Content rewritten, boolean endsWithAssistant, int count, long leastBytes) {
        this.count = count;
        this.leastBytes = leastBytes;
        this.view = view;
        this.rewritten = rewritten;
        this.endsWithAssistant = endsWithAssistant;
    }

    /**
     * Reads {@code messages}, and {@code instructions}, which a coordinator leaves beside them and which becomes a first system message.
     *
     * @throws AgentException {@code INVALID_REQUEST}, or {@code UNSUPPORTED_MEDIA} for a part that is not text
     */
    static ChatMessages read(RequestBody body) {
        JsonScanner json = body.json();
        Slice messages = body.value("messages", Kind.ARRAY);
        if (messages.isEmpty()) {
            throw invalid("messages is missing");
        }
        int count = 0;
        long leastBytes = 0;
        boolean assistant = false;
        for (JsonScanner.Cursor each = json.elements(messages); each.next(); count++) {
            assistant = check(json, each.value(), count);
            leastBytes += leastBytes(json, each.value());
        }
        if (count == 0) {
            throw invalid("messages is empty");
        }
        Slice instructions = body.value("instructions", Kind.STRING);
        if (instructions.isEmpty() || json.isEmptyText(instructions)) {
            return new ChatMessages(json.segment(messages), Content.confined(1), assistant, count, leastBytes);
        }
        Content rewritten = Content.confined(messages.length() + instructions.length() + 64);
        rewritten.appendAscii("[{\"role\":\"system\",\"content\":");
        rewritten.append(json.text(), instructions.offset(), instructions.length());
        rewritten.appendAscii("},");
        rewritten.append(json.text(), messages.offset() + 1, messages.length() - 1);
        return new ChatMessages(rewritten.segment(), rewritten, assistant, count + 1, leastBytes);
    }

    /** Returns the bytes that a message's text has at least: six letters of JSON may be one byte. Templates leave out thoughts of the assistant. */
    private static long leastBytes(JsonScanner json, Slice message) {
        Slice content = json.member(message, "content");
        Slice role = json.member(message, "role"); // checked
        boolean counts = !content.isEmpty() && json.kind(content) == Kind.STRING && !ROLES.find(json, role).equals(Optional.of("assistant"));
        return counts ? (content.length() - 2) / 6 : 0;
    }

    /** Returns whether the message is one of the assistant's without tool calls. */
    private static boolean check(JsonScanner json, Slice message, int index) {
        if (json.kind(message) != Kind.OBJECT) {
            throw invalid("messages[" + index + "] is not an object");
        }
        Slice role = json.member(message, "role");
        Optional<String> known = role.isEmpty() || json.kind(role) != Kind.STRING ? Optional.empty() : ROLES.find(json, role);
        if (known.isEmpty()) {
            throw invalid("messages[" + index + "].role must be system, developer, user, assistant or tool");
        }
        boolean assistant = known.get().equals("assistant");
        Slice content = json.member(message, "content");
        Slice calls = json.member(message, "tool_calls");
        boolean hasCalls = !calls.isEmpty() && json.kind(calls) != Kind.NULL;
        if (content.isEmpty() && !(assistant && hasCalls)) {
            throw invalid("messages[" + index + "].content is missing");
        }
        if (!content.isEmpty()) {
            checkContent(json, content, index);
        }
        if (hasCalls) {
            checkCalls(json, calls, index);
        }
        if (!assistant && !content.isEmpty() && json.kind(content) == Kind.STRING && (known.get().equals("tool") || known.get().equals("function"))) {
            checkDepth(json, content, index); // some templates have the native side read a tool's answer as JSON
        }
        return assistant && !hasCalls;
    }

    private static void checkContent(JsonScanner json, Slice content, int index) {
        switch (json.kind(content)) {
            case STRING, NULL -> { }
            case ARRAY -> {
                for (JsonScanner.Cursor parts = json.elements(content); parts.next();) {
                    checkPart(json, parts.value(), index);
                }
            }
            default -> throw invalid("messages[" + index + "].content must be a string or an array of parts");
        }
    }

    private static void checkPart(JsonScanner json, Slice part, int index) {
        Slice type = json.kind(part) == Kind.OBJECT ? json.member(part, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw invalid("messages[" + index + "].content has a part without a type");
        }
        Optional<String> media = MEDIA_PARTS.find(json, type);
        if (media.isPresent()) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_MEDIA, "messages",
                    "messages[" + index + "].content has a part of type " + media.get() + "; this model reads text only");
        }
        if (TEXT_PARTS.find(json, type).isEmpty()) {
            throw invalid("messages[" + index + "].content has a part whose type is not text");
        }
        Slice text = json.member(part, "text");
        if (text.isEmpty() || json.kind(text) != Kind.STRING) {
            throw invalid("messages[" + index + "].content has a text part without text");
        }
    }

    private static void checkCalls(JsonScanner json, Slice calls, int index) {
        if (json.kind(calls) != Kind.ARRAY) {
            throw invalid("messages[" + index + "].tool_calls must be an array");
        }
        for (JsonScanner.Cursor each = json.elements(calls); each.next();) {
            Slice function = json.kind(each.value()) == Kind.OBJECT ? json.member(each.value(), "function") : Slice.EMPTY;
            if (function.isEmpty() || json.kind(function) != Kind.OBJECT || !json.isText(json.member(function, "name"))) {
                throw invalid("messages[" + index + "].tool_calls has a call without a function's name");
            }
            Slice arguments = json.member(function, "arguments");
            if (arguments.isEmpty()) {
                throw invalid("messages[" + index + "].tool_calls has a call without arguments");
            }
            if (json.kind(arguments) == Kind.STRING) {
                checkDepth(json, arguments, index);
            }
        }
    }

    /** Refuses text that the native side may read as JSON and that is nested too deep for it. */
    private static void checkDepth(JsonScanner json, Slice text, int index) {
        try (Content decoded = Content.confined(text.length())) {
            json.decode(text, decoded);
            if (JsonScanner.isTooDeep(decoded.segment())) {
                throw invalid("messages[" + index + "] holds JSON nested deeper than " + JsonScanner.MAX_DEPTH + " levels");
            }
        }
    }

    /** Returns the messages as a JSON array. */
    MemorySegment segment() {
        return view;
    }

    int count() {
        return count;
    }

    /** Returns bytes that the rendered prompt has at least. */
    long leastBytes() {
        return leastBytes;
    }

    /** Returns whether the last message is an assistant's, to be continued by the answer. */
    boolean endsWithAssistant() {
        return endsWithAssistant;
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("messages", message);
    }

    @Override
    public void close() {
        rewritten.close();
    }
}
