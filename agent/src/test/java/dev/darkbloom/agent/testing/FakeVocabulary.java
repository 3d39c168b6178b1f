package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A token per byte, and three control tokens: 0 pads, 1 begins, 2 ends. */
public final class FakeVocabulary implements Tokenizer, Tokenizer.PieceTable {
    public static final int BEGIN = 1;
    public static final int END = 2;
    public static final int FIRST_BYTE = 3;
    public static final int SIZE = FIRST_BYTE + 256;

    private final FakeBehaviour behaviour;
    private final MemorySegment bytes;

    FakeVocabulary(FakeBehaviour behaviour, Arena arena) {
        this.behaviour = behaviour;
        bytes = arena.allocate(256);
        for (int b = 0; b < 256; b++) {
            bytes.set(ValueLayout.JAVA_BYTE, b, (byte) b);
        }
    }

    @Override
    public int tokenize(MemorySegment text, boolean addSpecial, boolean parseSpecial, MemorySegment tokens) {
        int count = Math.toIntExact(text.byteSize()) + (addSpecial ? 1 : 0);
        if (tokens.byteSize() < 4L * count) {
            return -count;
        }
        int at = 0;
        if (addSpecial) {
            tokens.setAtIndex(ValueLayout.JAVA_INT, at++, BEGIN);
        }
        for (long i = 0; i < text.byteSize(); i++) {
            tokens.setAtIndex(ValueLayout.JAVA_INT, at++, FIRST_BYTE + (text.get(ValueLayout.JAVA_BYTE, i) & 0xff));
        }
        return count;
    }

    @Override
    public PieceTable pieces() {
        return this;
    }

    @Override
    public int vocabularySize() {
        return SIZE;
    }

    @Override
    public Grammar compileGrammar(MemorySegment gbnf) {
        return new FakeGrammar(behaviour, Integer.MAX_VALUE);
    }

    @Override
    public Grammar compileSchema(MemorySegment schema) {
        return new FakeGrammar(behaviour, Integer.MAX_VALUE);
    }

    @Override
    public void checkSchema(MemorySegment schema) {}

    @Override
    public MemorySegment bytes() {
        return bytes.asReadOnly();
    }

    @Override
    public long offset(int token) {
        return token < FIRST_BYTE ? 0 : token - FIRST_BYTE;
    }

    @Override
    public int length(int token) {
        return token < FIRST_BYTE ? 0 : 1;
    }

    @Override
    public boolean isEndOfGeneration(int token) {
        return token == END;
    }

    @Override
    public boolean isControl(int token) {
        return token < FIRST_BYTE;
    }

    @Override
    public int maxLength() {
        return 1;
    }
}
