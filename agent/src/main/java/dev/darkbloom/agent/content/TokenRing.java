package dev.darkbloom.agent.content;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The tokens of one answer on their way from the engine's thread to the request's: a bounded queue outside the heap.
 *
 * <p>One producer, one consumer. An entry is a token id, its log-probability and {@code topLogprobs} pairs of id and log-probability.
 * Neither side waits here and neither allocates; waking the consumer is the engine's business ({@code Generation.await}). Closed by the
 * consumer once the producer has said that it is done; zeroed first.
 */
public final class TokenRing implements AutoCloseable {
    private static final VarHandle HEAD;
    private static final VarHandle TAIL;

    static {
        try {
            var lookup = MethodHandles.lookup();
            HEAD = lookup.findVarHandle(TokenRing.class, "head", long.class);
            TAIL = lookup.findVarHandle(TokenRing.class, "tail", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static final long TOKEN = 0;
    private static final long LOGPROB = 4;
    private static final long TOP = 8;
    private static final long TOP_STRIDE = 8;

    private final Arena arena;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final MemorySegment entries;
    private final int mask;
    private final int topLogprobs;
    private final long stride;
    @SuppressWarnings("unused") // by VarHandle
    private volatile long head; // entries taken
    @SuppressWarnings("unused") // by VarHandle
    private volatile long tail; // entries put

    /** Takes {@code arena}. */
    TokenRing(int capacity, int topLogprobs, Arena arena) {
        this.arena = arena;
        int slots = Integer.highestOneBit(Math.max(2, capacity) - 1) << 1;
        this.mask = slots - 1;
        this.topLogprobs = topLogprobs;
        this.stride = TOP + topLogprobs * TOP_STRIDE;
        this.entries = arena.allocate(stride * slots, 8);
    }

    /**
     * Returns an empty ring.
     *
     * @param capacity entries, rounded up to a power of two; at least 1
     * @param topLogprobs pairs kept per entry, 0 to 20
     */
    public static TokenRing allocate(int capacity, int topLogprobs) {
        check(capacity, topLogprobs);
        return new TokenRing(capacity, topLogprobs, Arena.ofShared());
    }

    static void check(int capacity, int topLogprobs) {
        if (capacity < 1 || topLogprobs < 0 || topLogprobs > 20) {
            throw new IllegalArgumentException("ring of " + capacity + " entries with " + topLogprobs + " log-probabilities");
        }
    }

    /** Returns the pairs kept per entry. */
    public int topLogprobs() {
        return topLogprobs;
    }

    /** Producer: returns whether there is room for one more entry. */
    public boolean hasRoom() {
        return (long) TAIL.get(this) - (long) HEAD.getAcquire(this) <= mask;
    }

    /** Producer: returns the offset in {@link #memory} of the entry that the next {@link #put} publishes; the caller has seen room. */
    public long nextEntry() {
        return ((long) TAIL.get(this) & mask) * stride;
    }

    /** Producer: returns the ring's memory, into which log-probabilities are written at {@link #nextEntry} + 4 and + 8. */
    public MemorySegment memory() {
        return entries;
    }

    /** Producer: publishes one token; the caller has seen {@link #hasRoom} and has written the log-probabilities it wants. */
    public void put(int token) {
        long at = nextEntry();
        entries.set(ValueLayout.JAVA_INT, at + TOKEN, token);
        TAIL.setRelease(this, (long) TAIL.get(this) + 1);
    }

    /** Consumer: returns how many entries wait. */
    public int size() {
        return (int) ((long) TAIL.getAcquire(this) - (long) HEAD.get(this));
    }

    /** Consumer: returns the offset of the oldest entry; valid while {@link #size} is positive and until {@link #advance}. */
    public long firstEntry() {
        return ((long) HEAD.get(this) & mask) * stride;
    }

    /** Consumer: returns the token of an entry. */
    public int token(long entry) {
        return entries.get(ValueLayout.JAVA_INT, entry + TOKEN);
    }

    /** Consumer: returns the natural-log probability of an entry's token. */
    public float logprob(long entry) {
        return entries.get(ValueLayout.JAVA_FLOAT, entry + LOGPROB);
    }

    /** Consumer: returns the {@code i}-th most likely token of an entry. */
    public int topToken(long entry, int i) {
        return entries.get(ValueLayout.JAVA_INT, entry + TOP + i * TOP_STRIDE);
    }

    /** Consumer: returns the log-probability of the {@code i}-th most likely token of an entry. */
    public float topLogprob(long entry, int i) {
        return entries.get(ValueLayout.JAVA_FLOAT, entry + TOP + i * TOP_STRIDE + 4);
    }

    /** Consumer: forgets the oldest entry. */
    public void advance() {
        HEAD.setRelease(this, (long) HEAD.get(this) + 1);
    }

    /** Zeroes and frees the ring. A second call does nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            entries.fill((byte) 0);
            arena.close();
        }
    }

    @Override
    public String toString() {
        return "TokenRing[capacity=" + (mask + 1) + "]";
    }
}
