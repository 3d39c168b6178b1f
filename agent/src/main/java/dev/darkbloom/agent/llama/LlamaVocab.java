package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_slice;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** A model's vocabulary. Borrows the model; any thread ({@code llama.h}: the tokenization functions are thread-safe). */
final class LlamaVocab implements Tokenizer {
    private final MemorySegment handle;
    private final LlamaPieces pieces;

    /** Views {@code raw}, which lives as long as the model; {@code modelArena} ends before it. */
    LlamaVocab(MemorySegment raw, Arena modelArena) {
        this.handle = raw.reinterpret(0, modelArena, null);
        this.pieces = LlamaPieces.open(handle, modelArena);
    }

    MemorySegment handle() {
        return handle;
    }

    @Override
    public int tokenize(MemorySegment text, boolean addSpecial, boolean parseSpecial, MemorySegment tokens) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment count = scratch.allocate(ValueLayout.JAVA_INT);
            MemorySegment borrowedText = LongCalls.borrowed(text);
            MemorySegment borrowedTokens = LongCalls.borrowed(tokens);
            MemorySegment borrowedCount = LongCalls.borrowed(count);
            int status = LongCalls.run(text.byteSize(), () -> llama_h.dbs_tokenize(
                    handle, borrowedText, text.byteSize(), borrowedTokens, capacity(tokens), addSpecial, parseSpecial, borrowedCount));
            return written(status, count, "tokenizing");
        }
    }

    static int capacity(MemorySegment tokens) {
        return (int) Math.min(Integer.MAX_VALUE, tokens.byteSize() / Integer.BYTES);
    }

    /** Turns the shim's answer into {@link Tokenizer#tokenize}'s: the count, or minus the count needed. */
    static int written(int status, MemorySegment count, String what) {
        int n = count.get(ValueLayout.JAVA_INT, 0);
        if (status == llama_h.DBS_TOO_SMALL()) {
            return -n;
        }
        Shim.check(status, what, ErrorCode.INVALID_REQUEST);
        return n;
    }

    @Override
    public PieceTable pieces() {
        return pieces;
    }

    @Override
    public int vocabularySize() {
        return pieces.count();
    }

    @Override
    public Grammar compileGrammar(MemorySegment gbnf) {
        return compile(gbnf);
    }

    private Grammar compile(MemorySegment gbnf) {
        GrammarText.check(gbnf);
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            MemorySegment borrowedText = LongCalls.borrowed(gbnf);
            MemorySegment borrowedOut = LongCalls.borrowed(out);
            int status = LongCalls.run(gbnf.byteSize(), () -> llama_h.dbs_grammar_new(handle, borrowedText, gbnf.byteSize(), borrowedOut));
            Shim.check(status, "grammar", ErrorCode.INVALID_GRAMMAR);
            return new LlamaGrammar(out.get(ValueLayout.ADDRESS, 0));
        }
    }

    @Override
    public Grammar compileSchema(MemorySegment schema) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            MemorySegment borrowedText = LongCalls.borrowed(schema);
            MemorySegment borrowedOut = LongCalls.borrowed(out);
            Shim.check(LongCalls.run(schema.byteSize(), () -> llama_h.dbs_schema_to_grammar(borrowedText, schema.byteSize(), borrowedOut)),
                    "JSON schema", ErrorCode.INVALID_SCHEMA);
            MemorySegment text = out.get(ValueLayout.ADDRESS, 0);
            try {
                MemorySegment slice = dbs_slice.allocate(scratch);
                llama_h.dbs_text_get(text, slice);
                return compile(Shim.view(slice, scratch));
            } finally {
                llama_h.dbs_text_free(text);
            }
        }
    }

    @Override
    public void checkSchema(MemorySegment schema) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            MemorySegment borrowedText = LongCalls.borrowed(schema);
            MemorySegment borrowedOut = LongCalls.borrowed(out);
            int status = LongCalls.run(schema.byteSize(), () -> llama_h.dbs_schema_check(borrowedText, schema.byteSize(), borrowedOut));
            MemorySegment text = out.get(ValueLayout.ADDRESS, 0);
            if (text.address() == 0) {
                Shim.check(status, "JSON schema", ErrorCode.INVALID_SCHEMA);
                return;
            }
            try {
                MemorySegment slice = dbs_slice.allocate(scratch);
                llama_h.dbs_text_get(text, slice);
                // Keywords and numbers alone: no content.
                String keyword = new String(Shim.view(slice, scratch).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
                throw new AgentException(ErrorCode.INVALID_SCHEMA,
                        "JSON schema: with strict, every keyword must be enforceable; not supported: " + keyword);
            } finally {
                llama_h.dbs_text_free(text);
            }
        }
    }
}
