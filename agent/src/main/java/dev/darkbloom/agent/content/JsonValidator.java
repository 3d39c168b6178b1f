package dev.darkbloom.agent.content;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Checks one JSON document against RFC 8259, byte by byte and without recursion.
 *
 * <p>Stricter than the grammar in one point, as the native parser that reads the same bytes later is: an escape of half a surrogate pair is
 * refused, since no UTF-8 can express it. A byte order mark is refused too. Of two members with the same name both are accepted; readers
 * take the last.
 */
final class JsonValidator {
    private final MemorySegment text;
    private final long size;
    private final int maxDepth;
    private final long[] objects; // a bit per open container: 1 for an object
    private int depth;
    private boolean tooDeep;
    private long at;

    private JsonValidator(MemorySegment text, int maxDepth) {
        this.text = text;
        this.size = text.byteSize();
        this.maxDepth = maxDepth;
        this.objects = new long[(maxDepth >> 6) + 1];
    }

    /**
     * Returns the place of the document's only value.
     *
     * @throws AgentException {@code INVALID_JSON}; the message has the offset and quotes nothing
     */
    static Slice check(MemorySegment text, int maxDepth) {
        return new JsonValidator(text, maxDepth).document();
    }

    /** Returns whether a text, valid or not, opens more than {@code maxDepth} containers before it ends or goes wrong. */
    static boolean isDeeper(MemorySegment text, int maxDepth) {
        var validator = new JsonValidator(text, maxDepth);
        try {
            validator.document();
        } catch (AgentException refused) {
            return validator.tooDeep;
        }
        return false;
    }

    private Slice document() {
        skipSpace();
        long start = at;
        boolean open = true;
        while (open) {
            value();
            open = close();
        }
        long end = at;
        skipSpace();
        if (at < size) {
            throw invalid();
        }
        return new Slice(start, end - start);
    }

    /** Reads a scalar, an empty container, or the beginning of a container up to its first value; then reads that value. */
    private void value() {
        while (true) {
            switch (peek()) {
                case '{' -> {
                    push(true);
                    if (peek() != '}') {
                        name();
                        continue;
                    }
                    pop();
                }
                case '[' -> {
                    push(false);
                    if (peek() != ']') {
                        continue;
                    }
                    pop();
                }
                case '"' -> string();
                case 't' -> literal("true");
                case 'f' -> literal("false");
                case 'n' -> literal("null");
                default -> number();
            }
            return;
        }
    }

    /** Reads what may follow a value; returns whether another value has to come. */
    private boolean close() {
        while (depth > 0) {
            skipSpace();
            boolean object = (objects[depth >> 6] >>> depth & 1) != 0;
            int b = peek();
            if (b == ',') {
                at++;
                skipSpace();
                if (object) {
                    name();
                }
                return true;
            }
            if (b != (object ? '}' : ']')) {
                throw invalid();
            }
            pop();
        }
        return false;
    }

    private void push(boolean object) {
        if (depth == maxDepth) {
            tooDeep = true;
            throw new AgentException(ErrorCode.INVALID_JSON, "JSON is nested deeper than " + maxDepth + " levels at byte " + at);
        }
        depth++;
        long bit = 1L << depth;
        objects[depth >> 6] = object ? objects[depth >> 6] | bit : objects[depth >> 6] & ~bit;
        at++;
        skipSpace();
    }

    private void pop() {
        depth--;
        at++;
    }

    private void name() {
        if (peek() != '"') {
            throw invalid();
        }
        string();
        skipSpace();
        if (peek() != ':') {
            throw invalid();
        }
        at++;
        skipSpace();
    }

    private void string() {
        at++;
        while (true) {
            at = StringRun.endOfPlain(text, at, size);
            int b = peek();
            if (b == '"') {
                at++;
                return;
            }
            if (b == '\\') {
                escape();
            } else if (b < 0x20) {
                throw invalid();
            } else if (b < 0x80) {
                at++;
            } else {
                character(b);
            }
        }
    }

    private void escape() {
        at++;
        switch (peek()) {
            case '"', '\\', '/', 'b', 'f', 'n', 'r', 't' -> at++;
            case 'u' -> {
                long start = at - 1;
                at++;
                int unit = hex4();
                if (unit >= 0xD800 && unit < 0xE000) {
                    if (unit >= 0xDC00 || at + 1 >= size || peek() != '\\' || text.get(ValueLayout.JAVA_BYTE, at + 1) != 'u') {
                        throw invalid(start);
                    }
                    at += 2;
                    int low = hex4();
                    if (low < 0xDC00 || low > 0xDFFF) {
                        throw invalid(start);
                    }
                }
            }
            default -> throw invalid();
        }
    }

    private int hex4() {
        int unit = 0;
        for (int i = 0; i < 4; i++) {
            int digit = Character.digit(peek(), 16);
            if (digit < 0) {
                throw invalid();
            }
            unit = unit << 4 | digit;
            at++;
        }
        return unit;
    }

    /** Reads a character of two to four bytes; ranges are those of table 3-7 of the Unicode standard. */
    private void character(int first) {
        if (first < 0xC2 || first > 0xF4) {
            throw invalid();
        }
        int following = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        int lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        int highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        at++;
        for (int i = 0; i < following; i++) {
            int b = peek();
            if (b < lowest || b > highest) {
                throw invalid();
            }
            lowest = 0x80;
            highest = 0xBF;
            at++;
        }
    }

    private void literal(String word) {
        for (int i = 0; i < word.length(); i++) {
            if (peek() != word.charAt(i)) {
                throw invalid();
            }
            at++;
        }
    }

    private void number() {
        if (peek() == '-') {
            at++;
        }
        if (peek() == '0') {
            at++;
        } else {
            digits();
        }
        if (at < size && peek() == '.') {
            at++;
            digits();
        }
        if (at < size && (peek() | 0x20) == 'e') {
            at++;
            if (peek() == '+' || peek() == '-') {
                at++;
            }
            digits();
        }
    }

    private void digits() {
        if (peek() < '0' || peek() > '9') {
            throw invalid();
        }
        while (at < size && peek() >= '0' && peek() <= '9') {
            at++;
        }
    }

    private void skipSpace() {
        while (at < size) {
            byte b = text.get(ValueLayout.JAVA_BYTE, at);
            if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
                return;
            }
            at++;
        }
    }

    /** Returns the byte at the cursor, 0 to 255; the document's end is an error here. */
    private int peek() {
        if (at >= size) {
            throw invalid();
        }
        return text.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
    }

    private AgentException invalid() {
        return invalid(at);
    }

    private AgentException invalid(long offset) {
        return new AgentException(ErrorCode.INVALID_JSON, "invalid JSON at byte " + offset + " of " + size);
    }
}
