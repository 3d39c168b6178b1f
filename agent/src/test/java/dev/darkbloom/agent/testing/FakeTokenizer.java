package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** One token per byte, and a few special ones behind them. Counts the grammars that are open. */
public final class FakeTokenizer implements Tokenizer {
    /** Ends an answer. */
    public static final int END = 256;
    /** A control token that a chat format preserves. */
    public static final int MARK = 257;
    /** A control token that nobody preserves. */
    public static final int CONTROL = 258;

    private static final List<String> SPECIAL = List.of("<end>", "<mark>", "<control>");

    private final MemorySegment bytes;
    private final List<String> grammars = new ArrayList<>();
    private final List<String> checkedSchemas = new ArrayList<>();
    private int openGrammars;
    private boolean parsesSpecial;

    public FakeTokenizer() {
        var all = new ByteArrayOutputStream();
        for (int i = 0; i < 256; i++) {
            all.write(i);
        }
        SPECIAL.forEach(text -> all.writeBytes(text.getBytes(StandardCharsets.US_ASCII)));
        bytes = OffHeap.bytes(all.toByteArray());
    }

    /** Returns the tokens of a text, followed by {@link #END}. */
    public static int[] answer(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        int[] tokens = new int[utf8.length + 1];
        for (int i = 0; i < utf8.length; i++) {
            tokens[i] = utf8[i] & 0xFF;
        }
        tokens[utf8.length] = END;
        return tokens;
    }

    public int openGrammars() {
        return openGrammars;
    }

    /** Returns the schemas that were to be refused if not enforceable, in order. */
    public List<String> checkedSchemas() {
        return checkedSchemas;
    }

    /** Returns the sources of what was compiled. */
    public List<String> grammars() {
        return grammars;
    }

    /** From now on, text that spells a special token becomes that token where the caller asks for it. */
    public void parseSpecial() {
        parsesSpecial = true;
    }

    @Override
    public int tokenize(MemorySegment text, boolean addSpecial, boolean parseSpecial, MemorySegment tokens) {
        long size = text.byteSize();
        if (tokens.byteSize() < size * 4) {
            return (int) -size;
        }
        int count = 0;
        for (long i = 0; i < size; count++) {
            int special = parsesSpecial && parseSpecial ? specialAt(text, i) : -1;
            tokens.set(ValueLayout.JAVA_INT_UNALIGNED, count * 4L, special < 0 ? text.get(ValueLayout.JAVA_BYTE, i) & 0xFF : 256 + special);
            i += special < 0 ? 1 : SPECIAL.get(special).length();
        }
        return count;
    }

    private static int specialAt(MemorySegment text, long at) {
        for (int i = 0; i < SPECIAL.size(); i++) {
            MemorySegment spelled = OffHeap.bytes(SPECIAL.get(i).getBytes(StandardCharsets.US_ASCII));
            long end = at + spelled.byteSize();
            if (end <= text.byteSize() && text.asSlice(at, spelled.byteSize()).mismatch(spelled) < 0) {
                return i;
            }
        }
        return -1;
    }

    @Override
    public int vocabularySize() {
        return 256 + SPECIAL.size();
    }

    @Override
    public Grammar compileGrammar(MemorySegment gbnf) {
        String text = OffHeap.text(gbnf);
        if (!text.contains("root")) {
            throw new AgentException(ErrorCode.INVALID_GRAMMAR, "grammar does not parse");
        }
        return open(text);
    }

    @Override
    public Grammar compileSchema(MemorySegment schema) {
        return open(OffHeap.text(schema));
    }

    /** Knows no keyword of a schema and so refuses none, but keeps the questions. */
    @Override
    public void checkSchema(MemorySegment schema) {
        checkedSchemas.add(OffHeap.text(schema));
    }

    /** Returns an open grammar that is counted until it is closed. */
    public Grammar open(String source) {
        grammars.add(source);
        openGrammars++;
        return new Grammar() {
            private boolean closed;

            @Override
            public void close() {
                openGrammars -= closed ? 0 : 1;
                closed = true;
            }
        };
    }

    @Override
    public PieceTable pieces() {
        return new PieceTable() {
            @Override
            public MemorySegment bytes() {
                return bytes;
            }

            @Override
            public long offset(int token) {
                return token <= 256 ? token : 256 + SPECIAL.subList(0, token - 256).stream().mapToInt(String::length).sum();
            }

            @Override
            public int length(int token) {
                return token < 256 ? 1 : SPECIAL.get(token - 256).length();
            }

            @Override
            public boolean isEndOfGeneration(int token) {
                return token == END;
            }

            @Override
            public boolean isControl(int token) {
                return token >= 256;
            }

            @Override
            public int maxLength() {
                return 9;
            }
        };
    }
}
