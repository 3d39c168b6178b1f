package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.NanoClock;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The responses that clients of the local endpoint may come back to: what was asked, what was answered, and what still runs.
 *
 * <p>In memory only and outside the heap; zeroed when a response is deleted, expires, has to make room, or the store closes. Bounded in
 * number, bytes and time. Of a response that was asked to run in the background as a stream, the events are kept, too. Readers copy what
 * they want under the lock, so that nobody reads what is being zeroed. Any thread. Owned by {@code service}, which closes it before the
 * endpoint, so that what still runs ends.
 */
public final class ResponseStore implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ResponseStore.class);
    private static final Duration RUNS_LIMIT = Duration.ofSeconds(10);
    private static final long BATCH_BYTES = 64 << 10;

    private final Limits limits;
    private final NanoClock clock;
    private final Thread expiry;
    private final Set<Thread> runs = ConcurrentHashMap.newKeySet();

    /** Guards {@code entries}, what they hold, {@code bytes} and {@code closed}. */
    private final ReentrantLock lock = new ReentrantLock();

    /** Somebody who waits for events has something to look at. */
    private final Condition news = lock.newCondition();

    /** By id, the one that came first in front. */
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    private long bytes;
    private volatile boolean closed;

    /**
     * How much is kept.
     *
     * @param entries most responses, at least 1
     * @param bytes most bytes of them together
     * @param lifetime how long each is kept after its request came
     */
    public record Limits(int entries, long bytes, Duration lifetime) {
        public Limits {
            if (entries < 1 || bytes < 0 || lifetime.isNegative()) {
                throw new IllegalArgumentException("entries " + entries + ", bytes " + bytes + ", lifetime " + lifetime);
            }
        }

        /** Returns 256 responses or an hour, in at most 1/128 of the machine's memory and never more than 256 MiB. */
        public static Limits of(long memoryBytes) {
            return new Limits(256, Math.min(256L << 20, memoryBytes / 128), Duration.ofHours(1));
        }
    }

    /** How far a response is. */
    enum State {
        RUNNING,
        ENDED,
        CANCELLED
    }

    /** Makes an empty store and starts the thread that sees to expiry. */
    public ResponseStore(Limits limits, NanoClock clock) {
        this.limits = limits;
        this.clock = clock;
        expiry = Thread.ofPlatform().name("response-expiry").daemon().start(this::watchExpiry);
    }

    /**
     * Keeps a response that begins to run. All segments are copied.
     *
     * @param items what it was asked, the conversation before it included: a JSON array
     * @param ownFrom which of them is the first of its own request
     * @param running what it looks like while it runs: a JSON object, as the next
     * @param cancelled what it looks like when it was cancelled
     * @param cancel stops it; must not block
     * @param withEvents whether its events are kept, until {@link #endEvents}, for those who want to read them again
     * @return false when it is not kept: there is no room, or the store is closed
     */
    boolean begin(String id, MemorySegment items, int ownFrom, MemorySegment running, MemorySegment cancelled, Runnable cancel,
            boolean withEvents) {
        lock.lock();
        try {
            long needed = items.byteSize() + running.byteSize() + cancelled.byteSize();
            if (closed || !makeRoom(1, needed)) {
                return false;
            }
            long expires = clock.nanoTime() + limits.lifetime().toNanos();
            Optional<KeptEvents> events = withEvents ? Optional.of(new KeptEvents(maxEventBytes())) : Optional.empty();
            entries.put(id, new Entry(copy(items), ownFrom, copy(running), copy(cancelled), cancel, events, expires));
            bytes += needed;
        } finally {
            lock.unlock();
        }
        LockSupport.unpark(expiry);
        return true;
    }

    /** Keeps what a response has become; does nothing if it is no longer here or was cancelled meanwhile. */
    void end(String id, MemorySegment object) {
        lock.lock();
        try {
            Entry entry = entries.get(id);
            if (entry != null && entry.state == State.RUNNING) {
                bytes -= entry.bytes();
                entry.become(State.ENDED, copy(object));
                bytes += entry.bytes();
                makeRoom(0, 0);
            }
        } finally {
            lock.unlock();
        }
    }

    /** No response may take more than a quarter of all there is for its events. */
    private int maxEventBytes() {
        return (int) Math.min(Integer.MAX_VALUE, limits.bytes() / 4);
    }

    /** Keeps the event in the first {@code size} bytes of {@code buffer}; where there is no room for it, none of this response is kept. */
    void addEvent(String id, MemorySegment buffer, long size) {
        lock.lock();
        try {
            Entry entry = entries.get(id);
            KeptEvents events = entry == null ? null : entry.events.orElse(null);
            if (events == null || events.isFull() || events.isOver()) {
                return;
            }
            bytes -= entry.bytes();
            if (events.takes(size)) {
                events.add(buffer, size);
            } else {
                events.giveUp();
            }
            bytes += entry.bytes();
            if (!makeRoom(0, 0)) {
                bytes -= entry.bytes();
                events.giveUp();
                bytes += entry.bytes();
            }
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Says that no more events of a response will come. */
    void endEvents(String id) {
        lock.lock();
        try {
            Entry entry = entries.get(id);
            if (entry != null) {
                entry.events.ifPresent(KeptEvents::end);
                makeRoom(0, 0);
                news.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether a response's events are kept; empty when it is not here. */
    Optional<Boolean> keepsEvents(String id) {
        lock.lock();
        try {
            return Optional.ofNullable(entries.get(id)).map(entry -> entry.events.filter(events -> !events.isFull()).isPresent());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Appends a response's events from number {@code from} on to {@code target}, not more than a reader can send in a moment; waits until
     * there is one, or no more will come, or {@link #wakeReaders} is called while {@code stop} holds, or the time is over.
     *
     * @param waitNanos longest wait
     * @return which were appended; empty when they are no longer kept
     */
    Optional<KeptEvents.Batch> readEvents(String id, int from, long waitNanos, BooleanSupplier stop, Content target)
            throws InterruptedException {
        lock.lock();
        try {
            long left = waitNanos;
            while (true) {
                Entry entry = entries.get(id);
                if (entry == null || entry.events.isEmpty() || entry.events.get().isFull()) {
                    return Optional.empty();
                }
                KeptEvents.Batch batch = entry.events.get().read(from, BATCH_BYTES, target);
                if (batch.sizes().length > 0 || batch.last() || left <= 0 || stop.getAsBoolean()) {
                    return Optional.of(batch);
                }
                left = news.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Has those who wait for events look again whether they are to go on. */
    void wakeReaders() {
        lock.lock();
        try {
            news.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Cancels a running response; returns how far it was before, or empty when it is not here. */
    Optional<State> cancel(String id) {
        Runnable action;
        lock.lock();
        try {
            Entry entry = entries.get(id);
            if (entry == null) {
                return Optional.empty();
            }
            if (entry.state != State.RUNNING) {
                return Optional.of(entry.state);
            }
            action = entry.cancel;
            bytes -= entry.bytes();
            entry.become(State.CANCELLED, copy(entry.cancelled.segment()));
            bytes += entry.bytes();
        } finally {
            lock.unlock();
        }
        action.run();
        return Optional.of(State.RUNNING);
    }

    /** Forgets a response, cancelling it if it runs; returns whether it was here. */
    boolean delete(String id) {
        Entry entry;
        boolean running;
        lock.lock();
        try {
            entry = entries.remove(id);
            if (entry == null) {
                return false;
            }
            running = entry.state == State.RUNNING;
            drop(entry);
        } finally {
            lock.unlock();
        }
        if (running) {
            entry.cancel.run();
        }
        return true;
    }

    /** Appends a response's object to {@code target}; returns how far it is, or empty when it is not here. */
    Optional<State> readObject(String id, Content target) {
        lock.lock();
        try {
            Entry entry = entries.get(id);
            if (entry == null) {
                return Optional.empty();
            }
            target.append(entry.object.segment());
            return Optional.of(entry.state);
        } finally {
            lock.unlock();
        }
    }

    /** Appends what a response was asked to {@code target}; returns which item is the first of its own, or empty when it is not here. */
    OptionalInt readItems(String id, Content target) {
        lock.lock();
        try {
            Entry entry = entries.get(id);
            if (entry == null) {
                return OptionalInt.empty();
            }
            target.append(entry.items.segment());
            return OptionalInt.of(entry.ownFrom);
        } finally {
            lock.unlock();
        }
    }

    /** Runs work that no connection waits for on a virtual thread of its own; {@link #close} waits for it. */
    void run(String name, Runnable work) {
        Thread thread = Thread.ofVirtual().name(name).unstarted(() -> {
            try {
                work.run();
            } finally {
                runs.remove(Thread.currentThread());
            }
        });
        runs.add(thread);
        thread.start();
    }

    /** Returns how many responses are kept. */
    int size() {
        lock.lock();
        try {
            return entries.size();
        } finally {
            lock.unlock();
        }
    }

    /** Returns the bytes of all responses that are kept. */
    long bytes() {
        lock.lock();
        try {
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    /** Makes room for more, at the cost of the oldest that do not run; returns whether there is enough. The lock is held. */
    private boolean makeRoom(int more, long moreBytes) {
        if (moreBytes > limits.bytes()) {
            return false;
        }
        for (Iterator<Entry> oldest = entries.values().iterator(); isFull(more, moreBytes) && oldest.hasNext();) {
            Entry entry = oldest.next();
            if (!entry.isBusy()) {
                oldest.remove();
                drop(entry);
            }
        }
        return !isFull(more, moreBytes);
    }

    private boolean isFull(int more, long moreBytes) {
        return entries.size() + more > limits.entries() || bytes + moreBytes > limits.bytes();
    }

    private void drop(Entry entry) {
        bytes -= entry.bytes();
        entry.close();
        news.signalAll();
    }

    private void watchExpiry() {
        while (!closed) {
            clock.parkUntil(this, expire());
        }
    }

    /** Zeroes what is too old; returns when the next one will be. */
    private long expire() {
        List<Runnable> running = new ArrayList<>();
        long next = Long.MAX_VALUE;
        lock.lock();
        try {
            long now = clock.nanoTime();
            for (Iterator<Entry> each = entries.values().iterator(); each.hasNext() && next == Long.MAX_VALUE;) {
                Entry entry = each.next();
                if (entry.expiresNanos - now > 0) {
                    next = entry.expiresNanos;
                } else {
                    if (entry.state == State.RUNNING) {
                        running.add(entry.cancel);
                    }
                    each.remove();
                    drop(entry);
                }
            }
        } finally {
            lock.unlock();
        }
        running.forEach(Runnable::run);
        return next;
    }

    private static Content copy(MemorySegment source) {
        Content copy = Content.allocate(source.byteSize());
        copy.append(source);
        return copy;
    }

    /** Cancels what runs, waits until it has ended, and zeroes everything. A second call does nothing. */
    @Override
    public void close() {
        List<Runnable> running = new ArrayList<>();
        lock.lock();
        try {
            closed = true;
            for (Entry entry : entries.values()) {
                if (entry.state == State.RUNNING) {
                    running.add(entry.cancel);
                }
                drop(entry);
            }
            entries.clear();
        } finally {
            lock.unlock();
        }
        running.forEach(Runnable::run);
        LockSupport.unpark(expiry);
        try {
            for (Thread run : runs) {
                if (!run.join(RUNS_LIMIT)) {
                    log.warn("a response still runs after it was cancelled");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** One response. */
    private static final class Entry {
        private final Content items;
        private final int ownFrom;
        private final Content cancelled;
        private final Runnable cancel;
        private final Optional<KeptEvents> events;
        private final long expiresNanos;
        private Content object;
        private State state = State.RUNNING;

        private Entry(Content items, int ownFrom, Content running, Content cancelled, Runnable cancel, Optional<KeptEvents> events,
                long expiresNanos) {
            this.items = items;
            this.ownFrom = ownFrom;
            this.object = running;
            this.cancelled = cancelled;
            this.cancel = cancel;
            this.events = events;
            this.expiresNanos = expiresNanos;
        }

        private long bytes() {
            return items.length() + object.length() + cancelled.length() + events.map(KeptEvents::bytes).orElse(0L);
        }

        /** Returns whether something is still being written to it. */
        private boolean isBusy() {
            return state == State.RUNNING || events.isPresent() && !events.get().isOver();
        }

        private void become(State next, Content ended) {
            object.close();
            object = ended;
            state = next;
        }

        private void close() {
            items.close();
            object.close();
            cancelled.close();
            events.ifPresent(KeptEvents::close);
        }
    }
}
