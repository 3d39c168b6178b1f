package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;

/** Text to tokens and back, outside the heap. Immutable; any thread. */
public interface Tokenizer {
    /**
     * Writes the tokens of UTF-8 text.
     *
     * @param text bytes, borrowed
     * @param addSpecial whether to add BOS and EOS where the model wants them
     * @param parseSpecial whether text that spells a control token becomes that token
     * @param tokens {@code int32[]}, borrowed
     * @return the count written, or {@code -needed} when {@code tokens} is too small (nothing useful is written then)
     */
    int tokenize(MemorySegment text, boolean addSpecial, boolean parseSpecial, MemorySegment tokens);

    /** Returns the text of every token. */
    PieceTable pieces();

    /** Returns the tokens in the vocabulary. */
    int vocabularySize();

    /**
     * Compiles GBNF text with the start symbol {@code root}. The caller owns the result until a sampler takes it.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code INVALID_GRAMMAR}; the message does not quote the grammar
     */
    Grammar compileGrammar(MemorySegment gbnf);

    /**
     * Converts a JSON schema (JSON text whose depth the caller has bounded) and compiles it.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code INVALID_SCHEMA} or {@code INVALID_GRAMMAR}
     */
    Grammar compileSchema(MemorySegment schema);

    /**
     * Refuses a JSON schema with a keyword that the grammar of {@link #compileSchema} would not enforce.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code INVALID_SCHEMA}; names the keyword and its place, with properties by number
     */
    void checkSchema(MemorySegment schema);

    /** The bytes and the nature of every token; made once per model, read without a call. */
    interface PieceTable {
        /** Returns all pieces, one after the other; bytes, read-only. */
        MemorySegment bytes();

        /** Returns where {@code token}'s bytes begin in {@link #bytes}. */
        long offset(int token);

        /** Returns how many bytes {@code token} has; control tokens have their spelled form. */
        int length(int token);

        /** Returns whether the token ends an answer ({@code llama_vocab_is_eog}). */
        boolean isEndOfGeneration(int token);

        /** Returns whether the token is a control token, whose text is not part of an answer. */
        boolean isControl(int token);

        /** Returns the longest piece in bytes. */
        int maxLength();
    }
}
