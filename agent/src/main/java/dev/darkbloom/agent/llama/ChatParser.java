package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;

/** Splits an answer, as it grows, into reasoning, content and tool calls. One thread at a time. */
public interface ChatParser extends AutoCloseable {
    /**
     * Adds a piece of the answer and tells {@code sink} what is new.
     *
     * @param text whole UTF-8 characters, borrowed
     * @param last given once, with the last piece (which may be empty)
     * @return false when {@code last} was given and the answer does not follow its format; what was left of it has then been handed out as
     *     content
     */
    boolean feed(MemorySegment text, boolean last, Sink sink);

    @Override
    void close();

    /** Receives what is new; segments are UTF-8 views that end with the call. */
    interface Sink {
        void reasoning(MemorySegment text);

        void content(MemorySegment text);

        /** A call begins; {@code index} counts from 0. */
        void toolCall(int index, MemorySegment id, MemorySegment name);

        /** A further piece of a call's arguments. */
        void toolArguments(int index, MemorySegment text);
    }
}
