package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.TokenRing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Log-probabilities of tokens whose text may not be released yet, outside the heap.
 *
 * <p>An entry is {@code int64 textStart, int32 token, float32 logprob, top × (int32 token, float32 logprob)}. Entries become visible to a
 * shape when text beyond their start has been released, and those of a stop string never do. Belongs to the request's thread.
 */
final class LogprobBuffer implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final long HEAD = 16;

    private final Content entries;
    private final int top;
    private final long stride;
    private int visible;

    /** Makes an empty buffer in {@code memory} for {@code top} alternatives per token. */
    LogprobBuffer(ContentArena memory, int top) {
        this.entries = memory.content(256);
        this.top = top;
        this.stride = HEAD + 8L * top;
    }

    /** Adds the ring's entry; {@code textStart} is the place of the token's first byte in the answer. */
    void add(TokenRing ring, long entry, long textStart) {
        entries.appendInt((int) textStart);
        entries.appendInt((int) (textStart >>> 32));
        entries.appendInt(ring.token(entry));
        entries.appendFloat(ring.logprob(entry));
        for (int i = 0; i < top; i++) {
            entries.appendInt(ring.topToken(entry, i));
            entries.appendFloat(ring.topLogprob(entry, i));
        }
    }

    /** Makes visible the tokens that begin before {@code textEnd}. */
    void release(long textEnd) {
        MemorySegment memory = entries.buffer();
        while (visible * stride < entries.length() && memory.get(LONG, visible * stride) < textEnd) {
            visible++;
        }
    }

    /** Makes every token visible. */
    void releaseAll() {
        visible = (int) (entries.length() / stride);
    }

    /** Returns how many visible entries there are. */
    int visible() {
        return visible;
    }

    /** Returns the alternatives per entry. */
    int top() {
        return top;
    }

    int token(int entry) {
        return entries.buffer().get(INT, entry * stride + 8);
    }

    float logprob(int entry) {
        return entries.buffer().get(FLOAT, entry * stride + 12);
    }

    int topToken(int entry, int i) {
        return entries.buffer().get(INT, entry * stride + HEAD + 8L * i);
    }

    float topLogprob(int entry, int i) {
        return entries.buffer().get(FLOAT, entry * stride + HEAD + 8L * i + 4);
    }

    /** Forgets the visible entries. */
    void dropVisible() {
        entries.dropFirst(visible * stride);
        visible = 0;
    }

    @Override
    public void close() {
        entries.close();
    }
}
