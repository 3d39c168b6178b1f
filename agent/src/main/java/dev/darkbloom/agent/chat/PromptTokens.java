package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import java.lang.foreign.MemorySegment;
import java.util.function.ToIntFunction;

/** The tokens of one prompt: {@code int32[count]} outside the heap, owned by the request, readable by the engine. */
final class PromptTokens implements AutoCloseable {
    private final Content memory;
    private final int count;

    private PromptTokens(Content memory, int count) {
        this.memory = memory;
        this.count = count;
    }

    /**
     * Tokenizes a text.
     *
     * @param tokenizer writes into {@code int32[]} and returns the count, or minus the count needed
     * @param textBytes the text's size, from which the room is guessed
     */
    static PromptTokens of(ToIntFunction<MemorySegment> tokenizer, long textBytes) {
        long room = textBytes / 3 + 64;
        while (true) {
            Content memory = Content.allocate(room * 4);
            try {
                memory.appendZeros(room * 4);
                int count = tokenizer.applyAsInt(memory.segment());
                if (count >= 0) {
                    memory.truncate(count * 4L);
                    return new PromptTokens(memory, count);
                }
                room = -(long) count;
                memory.close();
            } catch (Throwable t) {
                memory.close();
                throw t;
            }
        }
    }

    /** Takes tokens that a client sent. */
    static PromptTokens of(Content memory) {
        return new PromptTokens(memory, (int) (memory.length() / 4));
    }

    int count() {
        return count;
    }

    /** Returns a view of {@code int32[count]}; valid until {@link #close}. */
    MemorySegment segment() {
        return memory.segment();
    }

    @Override
    public void close() {
        memory.close();
    }

    @Override
    public String toString() {
        return "PromptTokens[count=" + count + "]";
    }
}
