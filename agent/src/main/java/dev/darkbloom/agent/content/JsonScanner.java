package dev.darkbloom.agent.content;

import dev.darkbloom.agent.base.AgentException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Reads a JSON document in place: values are {@link Slice}s of its bytes, and only what a caller names as a setting becomes a Java value.
 *
 * <p>The document is checked once, whole ({@link JsonValidator}); everything after that relies on it. Borrows the segment. Immutable; any
 * thread that may read the segment.
 */
public final class JsonScanner {
    /** Deepest nesting accepted; native parsers and templates recurse over the same text (1 MiB of stack ends at about 2,000). */
    public static final int MAX_DEPTH = 200;

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final int MAX_NUMBER_BYTES = 512;

    private final MemorySegment text;
    private final Slice root;

    private JsonScanner(MemorySegment text, Slice root) {
        this.text = text;
        this.root = root;
    }

    /** What a value is. */
    public enum Kind { OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL }

    /**
     * Checks {@code text} and returns a scanner over it.
     *
     * @throws AgentException {@code INVALID_JSON} with the offset, also for more than {@link #MAX_DEPTH} levels
     */
    public static JsonScanner of(MemorySegment text) {
        return new JsonScanner(text, JsonValidator.check(text, MAX_DEPTH));
    }

    /**
     * Returns whether {@code text}, which need not be JSON, nests deeper than {@link #MAX_DEPTH}: for text in a string of the request that
     * native code may try to read as JSON.
     */
    public static boolean isTooDeep(MemorySegment text) {
        return JsonValidator.isDeeper(text, MAX_DEPTH);
    }

    /** Returns the document's value. */
    public Slice root() {
        return root;
    }

    /** Returns the bytes that slices point into. */
    public MemorySegment text() {
        return text;
    }

    /** Returns a view of one value's bytes. */
    public MemorySegment segment(Slice value) {
        return text.asSlice(value.offset(), value.length());
    }

    public Kind kind(Slice value) {
        return switch (text.get(BYTE, value.offset())) {
            case '{' -> Kind.OBJECT;
            case '[' -> Kind.ARRAY;
            case '"' -> Kind.STRING;
            case 't' -> Kind.TRUE;
            case 'f' -> Kind.FALSE;
            case 'n' -> Kind.NULL;
            default -> Kind.NUMBER;
        };
    }

    /** Returns a cursor before the first member of an object, in the order of the text. */
    public Cursor members(Slice object) {
        return new Cursor(object, '{', true);
    }

    /** Returns a cursor before the first element of an array. */
    public Cursor elements(Slice array) {
        return new Cursor(array, '[', false);
    }

    /** Returns the value of a member by its ASCII name, the last one where a name occurs twice; {@link Slice#EMPTY} when there is none. */
    public Slice member(Slice object, String name) {
        Slice found = Slice.EMPTY;
        for (Cursor members = members(object); members.next();) {
            if (textEquals(members.key(), name)) {
                found = members.value();
            }
        }
        return found;
    }

    /** Returns how many elements an array has. */
    public int count(Slice array) {
        int count = 0;
        for (Cursor elements = elements(array); elements.next();) {
            count++;
        }
        return count;
    }

    /** Returns whether a string value, escapes resolved, is {@code ascii}. */
    public boolean textEquals(Slice string, String ascii) {
        long at = string.offset() + 1;
        long end = string.end() - 1;
        for (int i = 0; i < ascii.length(); i++) {
            if (at >= end) {
                return false;
            }
            int b = text.get(BYTE, at);
            if (b == '\\') {
                int escaped = text.get(BYTE, at + 1);
                if (unescape(at) != ascii.charAt(i)) {
                    return false;
                }
                at += escaped == 'u' ? 6 : 2;
            } else {
                if (b != ascii.charAt(i)) {
                    return false;
                }
                at++;
            }
        }
        return at == end;
    }

    /** Returns whether a value is a string of at least one character. */
    public boolean isText(Slice value) {
        return !value.isEmpty() && kind(value) == Kind.STRING && !isEmptyText(value);
    }

    /** Returns whether a string value is {@code ""}. */
    public boolean isEmptyText(Slice string) {
        return string.length() == 2;
    }

    /** Returns a number as a {@code double}, infinite where it is too large, NaN where it is written with more than 512 bytes. */
    public double number(Slice number) {
        if (number.length() > MAX_NUMBER_BYTES) {
            return Double.NaN;
        }
        byte[] digits = segment(number).toArray(BYTE);
        return Double.parseDouble(new String(digits, StandardCharsets.US_ASCII));
    }

    /** Returns a number as a {@code long} when it is one: {@code 3}, {@code 3.0} and {@code 3e0} are, {@code 3.5} and {@code 1e30} are not. */
    public OptionalLong integer(Slice number) {
        long at = number.offset();
        boolean negative = text.get(BYTE, at) == '-';
        if (negative) {
            at++;
        }
        if (number.end() - at > 18 || !isDigits(at, number.end())) {
            double value = number(number);
            boolean exact = value == Math.rint(value) && Math.abs(value) < 0x1p63;
            return exact ? OptionalLong.of((long) value) : OptionalLong.empty();
        }
        long value = 0;
        for (; at < number.end(); at++) {
            value = value * 10 + (text.get(BYTE, at) - '0');
        }
        return OptionalLong.of(negative ? -value : value);
    }

    /** Returns the low 64 bits of an integer of any size, or empty for a number with a fraction or an exponent. */
    public OptionalLong wrappedInteger(Slice number) {
        long at = number.offset();
        boolean negative = text.get(BYTE, at) == '-';
        if (negative) {
            at++;
        }
        if (!isDigits(at, number.end())) {
            return integer(number);
        }
        long value = 0;
        for (; at < number.end(); at++) {
            value = value * 10 + (text.get(BYTE, at) - '0');
        }
        return OptionalLong.of(negative ? -value : value);
    }

    private boolean isDigits(long from, long end) {
        for (long at = from; at < end; at++) {
            byte b = text.get(BYTE, at);
            if (b < '0' || b > '9') {
                return false;
            }
        }
        return true;
    }

    /**
     * Returns a string value as a Java string. For settings and names only, never for content.
     *
     * @param maxBytes most bytes of UTF-8 the value may have; a longer one gives empty
     */
    public Optional<String> setting(Slice string, int maxBytes) {
        if (string.length() - 2 > 6L * maxBytes) {
            return Optional.empty();
        }
        try (Content decoded = Content.confined(string.length())) {
            decode(string, decoded);
            return decoded.length() > maxBytes
                    ? Optional.empty()
                    : Optional.of(new String(decoded.segment().toArray(BYTE), StandardCharsets.UTF_8));
        }
    }

    /** Returns whether a string value has an escape in it. */
    public boolean isEscaped(Slice string) {
        return StringRun.endOfUnescaped(text, string.offset() + 1, string.end() - 1) < string.end() - 1;
    }

    /** Appends a string value, quotes removed and escapes resolved, as UTF-8. */
    public void decode(Slice string, Content target) {
        long at = string.offset() + 1;
        long end = string.end() - 1;
        while (at < end) {
            long plain = StringRun.endOfUnescaped(text, at, end);
            target.append(text, at, plain - at);
            at = plain;
            if (at < end) {
                boolean unicode = text.get(BYTE, at + 1) == 'u';
                int character = unescape(at);
                at += !unicode ? 2 : character > 0xFFFF ? 12 : 6;
                encode(character, target);
            }
        }
    }

    /** Returns the character that the escape at {@code at} stands for; a surrogate pair is one character. */
    private int unescape(long at) {
        return switch (text.get(BYTE, at + 1)) {
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> {
                int unit = hex4(at + 2);
                yield unit >= 0xD800 && unit < 0xDC00 ? Character.toCodePoint((char) unit, (char) hex4(at + 8)) : unit;
            }
            default -> text.get(BYTE, at + 1);
        };
    }

    private int hex4(long at) {
        int unit = 0;
        for (int i = 0; i < 4; i++) {
            unit = unit << 4 | Character.digit(text.get(BYTE, at + i), 16);
        }
        return unit;
    }

    private static void encode(int c, Content target) {
        if (c < 0x80) {
            target.append((byte) c);
        } else if (c < 0x800) {
            target.append((byte) (0xC0 | c >> 6));
            target.append((byte) (0x80 | c & 0x3F));
        } else if (c < 0x10000) {
            target.append((byte) (0xE0 | c >> 12));
            target.append((byte) (0x80 | c >> 6 & 0x3F));
            target.append((byte) (0x80 | c & 0x3F));
        } else {
            target.append((byte) (0xF0 | c >> 18));
            target.append((byte) (0x80 | c >> 12 & 0x3F));
            target.append((byte) (0x80 | c >> 6 & 0x3F));
            target.append((byte) (0x80 | c & 0x3F));
        }
    }

    /** Returns where the value that begins at {@code at} ends. */
    private long skipValue(long at) {
        return switch (text.get(BYTE, at)) {
            case '"' -> skipString(at);
            case '{', '[' -> skipContainer(at);
            default -> {
                long end = at;
                while (end < text.byteSize() && !isDelimiter(text.get(BYTE, end))) {
                    end++;
                }
                yield end;
            }
        };
    }

    private long skipContainer(long at) {
        int depth = 0;
        while (true) {
            switch (text.get(BYTE, at)) {
                case '{', '[' -> depth++;
                case '}', ']' -> depth--;
                case '"' -> at = skipString(at) - 1;
                default -> { }
            }
            at++;
            if (depth == 0) {
                return at;
            }
        }
    }

    private long skipString(long at) {
        at++;
        while (true) {
            at = StringRun.endOfUnescaped(text, at, text.byteSize());
            if (text.get(BYTE, at) == '"') {
                return at + 1;
            }
            at += 2;
        }
    }

    private static boolean isDelimiter(byte b) {
        return b == ',' || b == '}' || b == ']' || isSpace(b);
    }

    private static boolean isSpace(byte b) {
        return b == ' ' || b == '\n' || b == '\r' || b == '\t';
    }

    /** Walks over the members of an object or the elements of an array. */
    public final class Cursor {
        private final boolean keyed;
        private final long end; // of the container, its closing bracket excluded
        private long at;
        private Slice key = Slice.EMPTY;
        private Slice value = Slice.EMPTY;

        private Cursor(Slice container, char opening, boolean keyed) {
            if (text.get(BYTE, container.offset()) != opening) {
                throw new IllegalArgumentException("not a container that begins with " + opening);
            }
            this.keyed = keyed;
            this.at = container.offset() + 1;
            this.end = container.end() - 1;
        }

        /** Moves to the next member or element; returns whether there is one. */
        public boolean next() {
            skipSeparators();
            if (at >= end) {
                return false;
            }
            if (keyed) {
                long nameEnd = skipString(at);
                key = new Slice(at, nameEnd - at);
                at = nameEnd;
                skipSeparators();
            }
            long valueEnd = skipValue(at);
            value = new Slice(at, valueEnd - at);
            at = valueEnd;
            return true;
        }

        /** Returns the member's name, a string value with its quotes; {@link Slice#EMPTY} in an array. */
        public Slice key() {
            return key;
        }

        public Slice value() {
            return value;
        }

        private void skipSeparators() {
            while (at < end) {
                byte b = text.get(BYTE, at);
                if (b != ',' && b != ':' && !isSpace(b)) {
                    return;
                }
                at++;
            }
        }
    }
}
