package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.ModelLease;
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
     * @param textBytes the text's size; few texts have more tokens than bytes, and those are tokenized twice
     */
    static PromptTokens of(ToIntFunction<MemorySegment> tokenizer, long textBytes) {
        long room = textBytes + 64;
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

    /**
     * Refuses a text that has more tokens than a model's context whatever they are, before they are counted one by one.
     *
     * @param bytes of the text, or a number that it is sure to have more bytes than
     * @throws AgentException {@code CONTEXT_TOO_LONG} with all three numbers
     */
    static void checkRoom(long bytes, ModelLease lease) {
        long tokens = lease.contextTokens();
        int longest = lease.tokenizer().pieces().maxLength();
        if (bytes > tokens * longest) {
            throw new AgentException(ErrorCode.CONTEXT_TOO_LONG, "prompt has at least " + bytes + " bytes; this model's context holds " + tokens
                    + " tokens of at most " + longest + " bytes");
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
