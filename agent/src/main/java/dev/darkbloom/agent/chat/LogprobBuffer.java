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
 * shape when content beyond their start has been released, and those of a stop string never do.
 *
 * <p>Of an answer that is parsed only the tokens of content are told, neither those of thoughts and calls nor those of the format's marks.
 * Which they are is found by the text: the parser hands out its pieces as the model wrote them, so a piece is looked for in the text that
 * has not been accounted for. Belongs to the request's thread.
 */
final class LogprobBuffer implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final long HEAD = 16;

    private final Content entries;
    private final Content unread;  // text that no piece has been found in yet; its tokens are the entries that are not claimed
    private final boolean parsed;
    private final int top;
    private final long stride;
    private long unreadStart;      // place in the answer of the first byte of that text
    private int claimed;           // entries, the first ones, that are known to be content; their place is that in the content
    private int visible;           // of them

    /**
     * Makes an empty buffer in {@code memory} for {@code top} alternatives per token.
     *
     * @param parsed whether it is yet to be found out which tokens are content; otherwise all are
     */
    LogprobBuffer(ContentArena memory, int top, boolean parsed) {
        this.entries = memory.content(256);
        this.unread = memory.content(16);
        this.parsed = parsed;
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
        if (!parsed) {
            claimed++;
        }
    }

    /** Adds text of the answer on its way to the parser: that of the tokens added last. */
    void addText(Content text) {
        unread.append(text.buffer(), 0, text.length());
    }

    /**
     * Takes the tokens of a piece of content for such, and lets go of those before it.
     *
     * @param contentStart place of the piece in the content
     */
    void claim(MemorySegment piece, long contentStart) {
        long found = find(piece);
        long begin = unreadStart + Math.max(found, 0);
        long end = found < 0 ? unreadStart + unread.length() : begin + piece.byteSize();
        int entry = claimed;
        while (entry < count() && endOf(entry) <= begin && start(entry) < begin) {
            entry++;
        }
        drop(claimed, entry);
        while (claimed < count() && start(claimed) < end) {
            entries.buffer().set(LONG, claimed * stride, contentStart + Math.max(0, start(claimed) - begin));
            claimed++;
        }
        read(end);
    }

    /** Lets go of the tokens up to the end of a piece that is no content. */
    void skip(MemorySegment piece) {
        long found = find(piece);
        long end = found < 0 ? unreadStart + unread.length() : unreadStart + found + piece.byteSize();
        int entry = claimed;
        while (entry < count() && start(entry) < end) {
            entry++;
        }
        drop(claimed, entry);
        read(end);
    }

    /** Lets go of the tokens of all text so far that no piece was found in. */
    void skipAll() {
        drop(claimed, count());
        read(unreadStart + unread.length());
    }

    /** Returns where in the unread text the piece stands last, in bytes; -1 where the parser has not handed out what the model wrote. */
    private long find(MemorySegment piece) {
        long size = piece.byteSize();
        for (long at = unread.length() - size; at >= 0; at--) {
            if (MemorySegment.mismatch(unread.buffer(), at, at + size, piece, 0, size) < 0) {
                return at;
            }
        }
        return -1;
    }

    private void read(long end) {
        unread.dropFirst(end - unreadStart);
        unreadStart = end;
    }

    /** Forgets the entries from {@code from} on and before {@code to}. */
    private void drop(int from, int to) {
        if (from < to) {
            long rest = entries.length() - to * stride;
            MemorySegment.copy(entries.buffer(), to * stride, entries.buffer(), from * stride, rest);
            entries.truncate(from * stride + rest);
        }
    }

    private int count() {
        return (int) (entries.length() / stride);
    }

    private long start(int entry) {
        return entries.buffer().get(LONG, entry * stride);
    }

    private long endOf(int entry) {
        return entry + 1 < count() ? start(entry + 1) : unreadStart + unread.length();
    }

    /** Makes visible the tokens of content that begin before {@code textEnd}, a place in the content. */
    void release(long textEnd) {
        while (visible < claimed && start(visible) < textEnd) {
            visible++;
        }
    }

    /** Makes every token of content visible. */
    void releaseAll() {
        visible = claimed;
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
        claimed -= visible;
        visible = 0;
    }

    @Override
    public void close() {
        entries.close();
        unread.close();
    }
}
