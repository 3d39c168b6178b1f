package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.engine.NanoClock;
import java.lang.foreign.MemorySegment;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Responses that can be asked for again, gone on from, cancelled and deleted: the answer, what was asked, and the conversation up to there.
 *
 * <p>For the local endpoint only. Held outside the heap, for an hour, and only as many and as large as the limits say, the oldest going first;
 * zeroed when they go, and all of them on {@link #close}. Any thread; nothing that blocks is done under the lock.
 */
public final class StoredResponses implements AutoCloseable {
    /** Most responses, and how long each is kept; {@code spec/direct-mode-api.md}, A8. */
    private static final int MAX_ENTRIES = 256;
    private static final long KEPT_NANOS = TimeUnit.HOURS.toNanos(1);
    private static final long MAX_BYTES = 64L << 20;

    /** How long a cancel waits for the engine to let go. */
    private static final long CANCEL_MILLIS = 5_000;

    private static final int MOST_LISTED = 100;

    private final NanoClock clock;
    private final int maxEntries;
    private final long maxBytes;
    private final Map<String, Entry> entries = new LinkedHashMap<>(); // oldest first
    private final ScheduledExecutorService sweeper = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("stored-responses").factory());
    private Optional<ScheduledFuture<?>> nextSweep = Optional.empty();
    private long bytes;
    private boolean closed;

    /** One response. Its contents are replaced as a whole, never appended to. */
    private static final class Entry {
        private final long createdNanos;
        private Content document;
        private Content items;
        private Content turns = Content.allocate(1);
        private Optional<Runnable> cancel = Optional.empty();
        private boolean running = true;
        private boolean cancelled;

        private Entry(long createdNanos, Content document, Content items) {
            this.createdNanos = createdNanos;
            this.document = document;
            this.items = items;
        }

        private long bytes() {
            return document.length() + items.length() + turns.length();
        }

        private void close() {
            document.close();
            items.close();
            turns.close();
        }
    }

    public StoredResponses(NanoClock clock) {
        this(clock, MAX_ENTRIES, MAX_BYTES);
    }

    StoredResponses(NanoClock clock, int maxEntries, long maxBytes) {
        this.clock = clock;
        this.maxEntries = maxEntries;
        this.maxBytes = maxBytes;
    }

    /**
     * Keeps a response that begins.
     *
     * @param document the response as it is now; copied
     * @param items what was asked, as an array of items; copied
     */
    synchronized void begin(String id, MemorySegment document, MemorySegment items) {
        if (closed) {
            throw new AgentException(ErrorCode.DRAINING, "the agent is stopping");
        }
        var entry = new Entry(clock.nanoTime(), copy(document), copy(items));
        entries.put(id, entry);
        bytes += entry.bytes();
        trim();
        sweepLater();
    }

    /** Has {@code cancel} end a response that runs; at once when somebody has asked for that already. */
    void running(String id, Runnable cancel) {
        boolean now;
        synchronized (this) {
            Entry entry = entries.get(id);
            now = entry != null && entry.cancelled;
            if (entry != null) {
                entry.cancel = Optional.of(cancel);
            }
        }
        if (now) {
            cancel.run();
        }
    }

    /**
     * Keeps what a response came to, unless it was deleted meanwhile.
     *
     * @param turns the conversation with the answer, as chat messages without the array's brackets; copied
     */
    synchronized void end(String id, MemorySegment document, MemorySegment turns) {
        Entry entry = entries.get(id);
        if (entry != null && entry.running) {
            bytes -= entry.bytes();
            entry.document.close();
            entry.turns.close();
            entry.document = copy(document);
            entry.turns = copy(turns);
            bytes += entry.bytes();
            entry.cancel = Optional.empty();
            entry.running = false;
            trim();
            notifyAll();
        }
    }

    /** Returns whether somebody asked for its end. */
    synchronized boolean isCancelled(String id) {
        Entry entry = entries.get(id);
        return entry != null && entry.cancelled;
    }

    /**
     * Appends the conversation up to and with a response's answer: chat messages without the array's brackets.
     *
     * @throws AgentException {@code PREVIOUS_RESPONSE_NOT_FOUND} when it is not kept, or has no answer yet
     */
    synchronized void appendTurns(String id, SseWriter out) {
        sweep();
        Entry entry = entries.get(id);
        if (entry == null || entry.running) {
            throw AgentException.ofParam(ErrorCode.PREVIOUS_RESPONSE_NOT_FOUND, "previous_response_id",
                    entry == null ? "no response of this id is kept" : "the response of this id has not ended");
        }
        out.raw(entry.turns.buffer(), 0, entry.turns.length());
    }

    /** Answers with a response. */
    public void read(String id, ResponseSink sink) {
        send(sink, () -> find(id).document);
    }

    /** Forgets a response, ending it first if it runs, and answers that it is gone. */
    public void delete(String id, ResponseSink sink) {
        Optional<Runnable> cancel;
        synchronized (this) {
            Entry entry = find(id);
            cancel = entry.running ? entry.cancel : Optional.empty();
            forget(id, entry);
        }
        cancel.ifPresent(Runnable::run);
        try (SseWriter json = SseWriter.allocate(128)) {
            json.raw("{\"id\":").setting(id).raw(",\"object\":\"response\",\"deleted\":true}");
            sink.document(json.segment());
        }
    }

    /**
     * Ends a response that runs, and answers with what there is of it.
     *
     * @throws AgentException {@code INVALID_REQUEST} when it has ended by itself
     */
    public void cancel(String id, ResponseSink sink) throws InterruptedException {
        Optional<Runnable> cancel;
        synchronized (this) {
            Entry entry = find(id);
            if (!entry.running && !entry.cancelled) {
                throw new AgentException(ErrorCode.INVALID_REQUEST, "this response has ended and cannot be cancelled");
            }
            entry.cancelled = true;
            cancel = entry.cancel;
        }
        cancel.ifPresent(Runnable::run);
        synchronized (this) {
            long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CANCEL_MILLIS);
            for (long left = CANCEL_MILLIS; left > 0 && find(id).running; left = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime())) {
                wait(left);
            }
        }
        read(id, sink);
    }

    /**
     * Answers with what was asked of a response, without what the responses before it were asked.
     *
     * @param ascending oldest first
     * @param after the id of the item behind which the list begins; empty for all
     * @param limit most items, 1 to 100
     */
    public void listItems(String id, boolean ascending, String after, int limit, ResponseSink sink) {
        if (limit < 1 || limit > MOST_LISTED) {
            throw RequestBody.invalid("limit", "limit must be an integer from 1 to " + MOST_LISTED);
        }
        try (Content items = taken(() -> find(id).items); SseWriter json = SseWriter.allocate(128 + items.length())) {
            ItemPage.write(items.segment(), ascending, after, limit, json);
            sink.document(json.segment());
        }
    }

    private interface Part {
        Content get();
    }

    private void send(ResponseSink sink, Part part) {
        try (Content copy = taken(part)) {
            sink.document(copy.segment());
        }
    }

    /** Returns a copy that outlives the entry. */
    private synchronized Content taken(Part part) {
        Content original = part.get();
        Content copy = Content.confined(Math.max(1, original.length()));
        copy.append(original.buffer(), 0, original.length());
        return copy;
    }

    private Entry find(String id) {
        sweep();
        Entry entry = entries.get(id);
        if (entry == null) {
            throw new AgentException(ErrorCode.NOT_FOUND, "no response of this id is kept");
        }
        return entry;
    }

    /** Forgets what has been kept long enough. */
    private synchronized void sweep() {
        long now = clock.nanoTime();
        for (Iterator<Entry> all = entries.values().iterator(); all.hasNext();) {
            Entry entry = all.next();
            if (now - entry.createdNanos < KEPT_NANOS) {
                break;
            }
            all.remove();
            drop(entry);
        }
    }

    private void sweepLater() {
        if (!closed && !entries.isEmpty() && nextSweep.filter(sweep -> !sweep.isDone()).isEmpty()) {
            long left = KEPT_NANOS - (clock.nanoTime() - entries.values().iterator().next().createdNanos);
            nextSweep = Optional.of(sweeper.schedule(this::sweepAndGoOn, Math.max(1, left), TimeUnit.NANOSECONDS));
        }
    }

    private synchronized void sweepAndGoOn() {
        sweep();
        nextSweep = Optional.empty();
        sweepLater();
    }

    /** Makes room; the newest stays, and what runs is not ended for it. */
    private void trim() {
        while (entries.size() > 1 && (entries.size() > maxEntries || bytes > maxBytes)) {
            Map.Entry<String, Entry> oldest = entries.entrySet().iterator().next();
            forget(oldest.getKey(), oldest.getValue());
        }
    }

    private void forget(String id, Entry entry) {
        entries.remove(id);
        drop(entry);
    }

    private void drop(Entry entry) {
        bytes -= entry.bytes();
        entry.close();
        notifyAll();
    }

    private static Content copy(MemorySegment bytes) {
        Content copy = Content.allocate(Math.max(1, bytes.byteSize()));
        copy.append(bytes);
        return copy;
    }

    /** Returns how many pieces of {@link Content} are open for what is kept. */
    synchronized int contents() {
        return 3 * entries.size();
    }

    /** Returns how many responses are kept. */
    synchronized int size() {
        return entries.size();
    }

    /** Forgets everything. */
    @Override
    public void close() {
        sweeper.shutdownNow();
        synchronized (this) {
            closed = true;
            entries.values().forEach(this::drop);
            entries.clear();
        }
    }
}
