package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/**
 * The events of one response as they were sent, outside the heap; an event's place is its sequence number. Zeroed by {@link #close}.
 * Belongs to the store, whose lock its callers hold.
 */
final class KeptEvents implements AutoCloseable {
    private static final long SIZE_BYTES = Integer.BYTES;

    private final int maxBytes;
    private final Content text = Content.allocate(4096);
    private final Content ends = Content.allocate(256); // where each event ends, as ints
    private boolean over;
    private boolean full;

    /**
     * Some events, one behind the other.
     *
     * @param sizes bytes of each
     * @param last whether no more will come behind them
     */
    record Batch(int[] sizes, boolean last) {}

    /** Keeps at most {@code maxBytes} of text and places together. */
    KeptEvents(int maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** Returns whether another event of {@code size} bytes may be added. */
    boolean takes(long size) {
        return !over && !full && bytes() + size + SIZE_BYTES <= maxBytes;
    }

    /** Adds the event in the first {@code size} bytes of {@code buffer}, which is copied. */
    void add(MemorySegment buffer, long size) {
        text.append(buffer, 0, size);
        ends.appendInt(Math.toIntExact(text.length()));
    }

    /** Appends events from one on to {@code target}: at least one if there is one, and no more behind about {@code wantedBytes}. */
    Batch read(int from, long wantedBytes, Content target) {
        int to = from;
        while (to < count() && (to == from || end(to) - end(from - 1) <= wantedBytes)) {
            to++;
        }
        if (to > from) {
            target.append(text.buffer(), end(from - 1), end(to - 1) - end(from - 1));
        }
        int[] sizes = IntStream.range(from, to).map(event -> end(event) - end(event - 1)).toArray();
        return new Batch(sizes, over && to >= count());
    }

    private int count() {
        return (int) (ends.length() / SIZE_BYTES);
    }

    private int end(int event) {
        return event < 0 ? 0 : ends.buffer().get(ValueLayout.JAVA_INT_UNALIGNED, event * SIZE_BYTES);
    }

    /** No more will come. */
    void end() {
        over = true;
    }

    boolean isOver() {
        return over;
    }

    /** Returns whether there were more than are kept, so that none is. */
    boolean isFull() {
        return full;
    }

    /** Gives up, for want of room. */
    void giveUp() {
        full = true;
        text.close();
        ends.close();
    }

    /** Returns what it takes, in bytes. */
    long bytes() {
        return full ? 0 : text.length() + ends.length();
    }

    @Override
    public void close() {
        text.close();
        ends.close();
    }
}
