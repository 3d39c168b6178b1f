package dev.darkbloom.agent.protocol;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The members of one frame, found in one walk: a sealed payload may have many megabytes, and each walk reads all of them.
 *
 * <p>Borrows the frame. Of two members with one name the last counts.
 */
final class FrameMembers {
    private static final int MAX_WORD_BYTES = 64;  // types, ids and public keys
    private static final int MAX_NAME_BYTES = 128;
    private static final int MAX_NAMES = 64;       // twice what our largest message has

    private final JsonScanner json;
    private final Map<String, Slice> members = new HashMap<>();
    private long strange; // members beyond what is kept: too long a name, or too many

    private FrameMembers(JsonScanner json) {
        this.json = json;
        for (var walk = json.members(json.root()); walk.next();) {
            Optional<String> name = json.setting(walk.key(), MAX_NAME_BYTES);
            if (name.isPresent() && (members.size() < MAX_NAMES || members.containsKey(name.get()))) {
                members.put(name.get(), walk.value());
            } else {
                strange++;
            }
        }
    }

    /**
     * Checks a frame.
     *
     * @throws MalformedMessageException if it is larger than {@code maxBytes} or no JSON object
     */
    static FrameMembers of(MemorySegment frame, long maxBytes) {
        if (frame.byteSize() > maxBytes) {
            throw new MalformedMessageException("a frame of " + frame.byteSize() + " bytes; the limit is " + maxBytes);
        }
        JsonScanner json;
        try {
            json = JsonScanner.of(frame);
        } catch (AgentException e) {
            throw new MalformedMessageException(e.getMessage());
        }
        if (json.kind(json.root()) != Kind.OBJECT) {
            throw new MalformedMessageException("a frame that is no JSON object");
        }
        return new FrameMembers(json);
    }

    Slice root() {
        return json.root();
    }

    /** Returns the type; one that is not a plain word is none, since unknown types are logged. */
    String type() {
        return word("type").filter(FrameMembers::isPlain).orElseThrow(() -> new MalformedMessageException("a frame without a type"));
    }

    private static boolean isPlain(String word) {
        return word.chars().allMatch(c -> c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "_-.".indexOf(c) >= 0);
    }

    RequestId requestId(String type) {
        String text = word("request_id").orElseThrow(() -> new MalformedMessageException(type + ": no request_id"));
        try {
            return new RequestId(text);
        } catch (IllegalArgumentException e) {
            throw new MalformedMessageException(type + ": not a request id");
        }
    }

    /** Returns how many members a message of {@code type} does not have. */
    long unknownTo(Class<?> type) {
        return strange + members.keySet().stream().filter(name -> !WireNames.isKnown(type, name)).count();
    }

    private Slice member(String name) {
        return members.getOrDefault(name, Slice.EMPTY);
    }

    boolean isString(Slice value) {
        return !value.isEmpty() && json.kind(value) == Kind.STRING;
    }

    /** Returns whether a member is a string of at least one character. */
    boolean isText(String name) {
        return json.isText(member(name));
    }

    /** Returns a member that is a string, unless it is absent, something else or longer than ids and keys are. */
    Optional<String> word(String name) {
        return word(member(name));
    }

    Optional<String> word(Slice value) {
        return isString(value) ? json.setting(value, MAX_WORD_BYTES) : Optional.empty();
    }

    OptionalLong integer(String name) {
        Slice value = member(name);
        return !value.isEmpty() && json.kind(value) == Kind.NUMBER ? json.integer(value) : OptionalLong.empty();
    }

    /** Returns a member that is an object, or {@link Slice#EMPTY}. */
    Slice object(String name) {
        Slice value = member(name);
        return !value.isEmpty() && json.kind(value) == Kind.OBJECT ? value : Slice.EMPTY;
    }

    /** Returns a member of a member that is an object, or {@link Slice#EMPTY}. */
    Slice memberOf(String outer, String name) {
        Slice object = object(outer);
        return object.isEmpty() ? Slice.EMPTY : json.member(object, name);
    }

    /** Returns the bytes of a value that becomes Java objects. */
    byte[] bytes(Slice value, String type) {
        if (value.length() > MessageDecoder.MAX_OPEN_BYTES) {
            throw new MalformedMessageException(type + ": " + value.length() + " bytes; the limit is " + MessageDecoder.MAX_OPEN_BYTES);
        }
        return json.segment(value).toArray(ValueLayout.JAVA_BYTE);
    }

    /**
     * Returns a view of what is between a string's quotes. Where somebody escaped base64's slashes, the frame itself is changed to the same string
     * without escapes and blanks behind it: the frame's owner then frees it, whatever its size.
     */
    MemorySegment letters(Slice string) {
        if (json.isEscaped(string)) {
            try (Content plain = Content.confined(string.length())) {
                json.decode(string, plain);
                if (isPlainText(plain)) {
                    return rewrite(string, plain);
                }
            }
            return MemorySegment.NULL; // no base64, whatever it is
        }
        return json.text().asSlice(string.offset() + 1, string.length() - 2);
    }

    /** Returns whether a text can stand between quotes as it is. */
    private static boolean isPlainText(Content text) {
        MemorySegment bytes = text.segment();
        for (long i = 0; i < bytes.byteSize(); i++) {
            byte one = bytes.get(ValueLayout.JAVA_BYTE, i);
            if (one <= ' ' || one == '"' || one == '\\') { // bytes above ASCII are negative
                return false;
            }
        }
        return true;
    }

    private MemorySegment rewrite(Slice string, Content plain) {
        MemorySegment place = json.segment(string);
        MemorySegment.copy(plain.segment(), 0, place, 1, plain.length());
        place.set(ValueLayout.JAVA_BYTE, plain.length() + 1, (byte) '"');
        place.asSlice(plain.length() + 2).fill((byte) ' ');
        return place.asSlice(1, plain.length());
    }
}
