package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What is looked at in GBNF text before upstream's parser reads it, outside the heap and without quoting it.
 *
 * <p>The parser calls itself for each group (a 1 MiB stack ends near 5,000), and it takes {@code {2,1}} for a repetition of 2⁶⁴ − 1 minus one
 * times: it then fills all memory (24 GB in 25 s on a two-core x86 machine, llama.cpp v0.4.0). Everything else that is wrong it says itself.
 */
final class GrammarText {
    static final int MAX_DEPTH = 200;

    private final MemorySegment text;
    private long at;

    private GrammarText(MemorySegment text) {
        this.text = text;
    }

    /** Throws {@code INVALID_GRAMMAR} for text that must not reach the parser. */
    static void check(MemorySegment gbnf) {
        new GrammarText(gbnf).run();
    }

    private void run() {
        if (text.byteSize() == 0) {
            throw new AgentException(ErrorCode.INVALID_GRAMMAR, "the grammar is empty");
        }
        int depth = 0;
        byte closing = 0; // the byte that ends the literal, class or comment we are in
        while (at < text.byteSize()) {
            byte b = text.get(ValueLayout.JAVA_BYTE, at++);
            if (closing != 0) {
                if (b == '\\' && closing != '\n') {
                    at++;
                } else if (b == closing) {
                    closing = 0;
                }
                continue;
            }
            switch (b) {
                case '"' -> closing = '"';
                case '[' -> closing = ']';
                case '#' -> closing = '\n';
                case '(' -> depth++;
                case ')' -> depth--;
                case '{' -> checkRepetition();
                default -> { }
            }
            if (depth > MAX_DEPTH) {
                throw new AgentException(ErrorCode.INVALID_GRAMMAR, "the grammar's groups nest deeper than " + MAX_DEPTH);
            }
        }
    }

    /** Reads {@code m}, {@code m,} or {@code m,n} behind an opening brace. */
    private void checkRepetition() {
        long least = number();
        if (peek() != ',') {
            return;
        }
        at++;
        long most = number();
        if (most >= 0 && most < least) {
            throw new AgentException(ErrorCode.INVALID_GRAMMAR, "a repetition of the grammar has a maximum below its minimum");
        }
    }

    /** Returns the number at the cursor with the blanks around it skipped, capped at a billion, or -1 where there is none. */
    private long number() {
        skipBlanks();
        long value = -1;
        while (peek() >= '0' && peek() <= '9') {
            value = Math.min(1_000_000_000, Math.max(value, 0) * 10 + (peek() - '0'));
            at++;
        }
        skipBlanks();
        return value;
    }

    private void skipBlanks() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') {
            at++;
        }
    }

    private byte peek() {
        return at < text.byteSize() ? text.get(ValueLayout.JAVA_BYTE, at) : 0;
    }
}
