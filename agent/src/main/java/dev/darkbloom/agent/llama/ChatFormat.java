package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** One request's rendered prompt with what is needed to read the answer. Owned by the request; one thread at a time. */
public interface ChatFormat extends AutoCloseable {
    /** Returns the rendered prompt, UTF-8; a view until {@link #close}. */
    MemorySegment prompt();

    /** Tokenizes the rendered prompt; control tokens are read as such and BOS is not doubled. As {@link Tokenizer#tokenize}. */
    int tokenize(MemorySegment tokens);

    /** Compiles the answer's grammar, or returns null when anything may be written. The caller owns it. */
    Grammar compileGrammar();

    /** Returns further stop strings that the format asks for; views until {@link #close}. */
    List<MemorySegment> stops();

    /** Returns whether a control token's text is part of what the parser must see (tool markers and the like). */
    boolean preserves(int token);

    /** Starts reading an answer. The parser is closed before this format. */
    ChatParser openParser(boolean parseToolCalls);

    @Override
    void close();
}
