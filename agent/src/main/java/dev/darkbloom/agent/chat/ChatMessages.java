package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
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
    private final Optional<String> cutCall;
    private final int count;
    private final long leastBytes;

    /** A part of a message that the native reader does not know, and the string that stands in its place. */
    private record Refusal(Slice part, Slice text) {}

    private ChatMessages(MemorySegment view, Content rewritten, boolean endsWithAssistant, Optional<String> cutCall, int count, long leastBytes) {
        this.count = count;
        this.leastBytes = leastBytes;
        this.view = view;
        this.rewritten = rewritten;
        this.endsWithAssistant = endsWithAssistant;
        this.cutCall = cutCall;
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
        Optional<String> cutCall = Optional.empty();
        List<Refusal> refusals = new ArrayList<>();
        for (JsonScanner.Cursor each = json.elements(messages); each.next(); count++) {
            assistant = check(json, each.value(), count, refusals);
            leastBytes += leastBytes(json, each.value());
            if (cutCall.isEmpty()) {
                cutCall = cutCall(json, each.value(), count);
            }
        }
        if (count == 0) {
            throw invalid("messages is empty");
        }
        Slice instructions = body.value("instructions", Kind.STRING);
        boolean instructed = !instructions.isEmpty() && !json.isEmptyText(instructions);
        if (!instructed && refusals.isEmpty()) {
            return new ChatMessages(json.segment(messages), Content.confined(1), assistant, cutCall, count, leastBytes);
        }
        Content rewritten = Content.confined(messages.length() + instructions.length() + 64);
        rewritten.append((byte) '[');
        if (instructed) {
            rewritten.appendAscii("{\"role\":\"system\",\"content\":");
            rewritten.append(json.text(), instructions.offset(), instructions.length());
            rewritten.appendAscii("},");
        }
        long from = messages.offset() + 1;
        for (Refusal refusal : refusals) {
            rewritten.append(json.text(), from, refusal.part().offset() - from);
            rewritten.appendAscii("{\"type\":\"text\",\"text\":");
            rewritten.append(json.text(), refusal.text().offset(), refusal.text().length());
            rewritten.append((byte) '}');
            from = refusal.part().end();
        }
        rewritten.append(json.text(), from, messages.end() - from);
        return new ChatMessages(rewritten.segment(), rewritten, assistant, cutCall, instructed ? count + 1 : count, leastBytes);
    }

    /** Returns the bytes that a message's text has at least: six letters of JSON may be one byte. Templates leave out thoughts of the assistant. */
    private static long leastBytes(JsonScanner json, Slice message) {
        Slice content = json.member(message, "content");
        Slice role = json.member(message, "role"); // checked
        boolean counts = !content.isEmpty() && json.kind(content) == Kind.STRING && !ROLES.find(json, role).equals(Optional.of("assistant"));
        return counts ? (content.length() - 2) / 6 : 0;
    }

    /** Returns whether the message is one of the assistant's without tool calls. */
    private static boolean check(JsonScanner json, Slice message, int index, List<Refusal> refusals) {
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
        boolean isNull = !content.isEmpty() && json.kind(content) == Kind.NULL;
        if (content.isEmpty() && !(assistant && hasCalls) || isNull && !assistant && !known.get().equals("function")) {
            throw invalid("messages[" + index + "].content is missing");
        }
        if (!content.isEmpty()) {
            checkContent(json, content, index, assistant, refusals);
        }
        if (hasCalls) {
            checkCalls(json, calls, index);
        }
        if (!assistant && !content.isEmpty() && json.kind(content) == Kind.STRING && (known.get().equals("tool") || known.get().equals("function"))) {
            checkDepth(json, content, index); // some templates have the native side read a tool's answer as JSON
        }
        return assistant && !hasCalls;
    }

    private static void checkContent(JsonScanner json, Slice content, int index, boolean assistant, List<Refusal> refusals) {
        switch (json.kind(content)) {
            case STRING, NULL -> { }
            case ARRAY -> {
                for (JsonScanner.Cursor parts = json.elements(content); parts.next();) {
                    Slice type = typeOf(json, parts.value(), index);
                    if (assistant && json.textEquals(type, "refusal")) {
                        refusals.add(new Refusal(parts.value(), text(json, parts.value(), "refusal", index)));
                    } else {
                        checkPart(json, parts.value(), type, index);
                    }
                }
            }
            default -> throw invalid("messages[" + index + "].content must be a string or an array of parts");
        }
    }

    private static Slice typeOf(JsonScanner json, Slice part, int index) {
        Slice type = json.kind(part) == Kind.OBJECT ? json.member(part, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw invalid("messages[" + index + "].content has a part without a type");
        }
        return type;
    }

    private static Slice text(JsonScanner json, Slice part, String member, int index) {
        Slice text = json.member(part, member);
        if (text.isEmpty() || json.kind(text) != Kind.STRING) {
            throw invalid("messages[" + index + "].content has a " + member + " part without text");
        }
        return text;
    }

    private static void checkPart(JsonScanner json, Slice part, Slice type, int index) {
        Optional<String> media = MEDIA_PARTS.find(json, type);
        if (media.isPresent()) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_MEDIA, "messages",
                    "messages[" + index + "].content has a part of type " + media.get() + "; this model reads text only");
        }
        if (TEXT_PARTS.find(json, type).isEmpty()) {
            throw invalid("messages[" + index + "].content has a part whose type is not text");
        }
        text(json, part, "text", index);
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

    /** Returns the place of the message's first call whose arguments are text, but neither blank nor that of a JSON object. */
    private static Optional<String> cutCall(JsonScanner json, Slice message, int index) {
        Slice calls = json.member(message, "tool_calls");
        if (calls.isEmpty() || json.kind(calls) != Kind.ARRAY) {
            return Optional.empty();
        }
        int call = 0;
        for (JsonScanner.Cursor each = json.elements(calls); each.next(); call++) {
            Slice arguments = json.member(json.member(each.value(), "function"), "arguments");
            if (json.kind(arguments) == Kind.STRING && !isObjectOrBlank(json, arguments)) {
                return Optional.of("messages[" + index + "].tool_calls[" + call + "]");
            }
        }
        return Optional.empty();
    }

    private static boolean isObjectOrBlank(JsonScanner json, Slice text) {
        try (Content decoded = Content.confined(text.length())) {
            json.decode(text, decoded);
            if (isBlank(decoded)) {
                return true;
            }
            JsonScanner value = JsonScanner.of(decoded.segment());
            return value.kind(value.root()) == Kind.OBJECT;
        } catch (AgentException _) {
            return false;
        }
    }

    private static boolean isBlank(Content text) {
        for (long i = 0; i < text.length(); i++) {
            if (!Character.isWhitespace(text.buffer().get(ValueLayout.JAVA_BYTE, i))) {
                return false;
            }
        }
        return true;
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

    /**
     * Returns where the first call is whose arguments are no JSON object, as when an answer was cut off in them: many templates cannot show
     * such a call.
     */
    Optional<String> cutCall() {
        return cutCall;
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("messages", message);
    }

    @Override
    public void close() {
        rewritten.close();
    }
}
