package dev.darkbloom.agent.testing.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.RequestBox;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/** A request that was sent to an agent, and what has come of it. {@link Node} writes it; tests read it from any thread. */
public final class Asked {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String DATA = "data: ";
    /** Chunks that the real one keeps for a consumer who does not read; it drops what comes then (provider protocol, 0.1, fact 8). */
    private static final int BUFFERED_CHUNKS = 256;

    private final String id;
    private final BoxKeys keys;
    private final RequestBox box;
    private final List<String> chunks = new CopyOnWriteArrayList<>();
    private final List<Long> times = new CopyOnWriteArrayList<>();
    private final CountDownLatch accepted = new CountDownLatch(1);
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Deque<String> buffer = new ArrayDeque<>(); // guarded by this
    private boolean stalled; // guarded by this
    private int dropped; // guarded by this
    private boolean closed; // guarded by this
    private volatile boolean isAccepted;
    private volatile End end;

    /** How a request ended. */
    public sealed interface End {
        /** Whole. */
        record Complete(long promptTokens, long completionTokens, JsonNode message) implements End {}

        /** Failed. */
        record Failed(int status, String error, String code, String reason, JsonNode message) implements End {}

        /** The connection broke before. */
        record Lost() implements End {}
    }

    /** A request whose answer is for {@code keys}, which it takes, and is opened with {@code publicKey}. */
    Asked(String id, BoxKeys keys, String publicKey) {
        this.id = id;
        this.keys = keys;
        this.box = keys.boxWith(publicKey);
    }

    public String id() {
        return id;
    }

    /** Returns the chunks that the consumer has got so far, opened. */
    public List<String> chunks() {
        return List.copyOf(chunks);
    }

    /** Returns when each came, by {@link System#nanoTime}. */
    public List<Long> times() {
        return List.copyOf(times);
    }

    /** Waits for the end. */
    public End awaitEnd() {
        Waits.await(ended, "the request has not ended");
        return end;
    }

    /** Waits for the first chunk. */
    public void awaitChunk() {
        Waits.await(begun, "no chunk came");
    }

    /** Waits for the acceptance. */
    public void awaitAccepted() {
        Waits.await(accepted, "the request was not accepted");
    }

    public boolean hasEnded() {
        return end != null;
    }

    /** Returns the chunks' JSON, without what marks them as data. */
    public List<JsonNode> events() {
        return chunks.stream().map(Asked::event).toList();
    }

    private static JsonNode event(String chunk) {
        int data = chunk.startsWith("event: ") ? chunk.indexOf('\n') + 1 : 0;
        if (!chunk.startsWith(DATA, data)) {
            throw new AssertionError("a chunk that is no data line: " + chunk);
        }
        try {
            return JSON.readTree(chunk.substring(data + DATA.length()));
        } catch (JsonProcessingException e) {
            throw new AssertionError("no JSON: " + chunk, e);
        }
    }

    /** Returns what the deltas of a streamed chat say, joined. */
    public String text() {
        var text = new StringBuilder();
        for (JsonNode event : events()) {
            text.append(event.path("choices").path(0).path("delta").path("content").asText(""));
        }
        return text.toString();
    }

    /** Returns a payload for the agent; an empty one where the connection is over already. */
    synchronized String seal(String json) {
        return closed ? "" : SealedText.seal(box, json);
    }

    String publicKey() {
        return keys.publicKey();
    }

    /** Has the consumer not read from now on. */
    synchronized void stall() {
        stalled = true;
    }

    /** Has the consumer read what was kept for it, and what comes. */
    public synchronized void readOn() {
        stalled = false;
        chunks.addAll(buffer);
        buffer.clear();
    }

    /** Returns how many chunks were lost since the consumer did not read. */
    public synchronized int dropped() {
        return dropped;
    }

    void accept() {
        isAccepted = true;
        accepted.countDown();
    }

    boolean isAccepted() {
        return isAccepted;
    }

    /** Opens a chunk and keeps it, unless there is no room; empty when the request was given up meanwhile. */
    synchronized Optional<String> take(String ciphertext) {
        if (closed) {
            return Optional.empty();
        }
        String plain = SealedText.open(box, ciphertext);
        times.add(System.nanoTime());
        if (!stalled) {
            chunks.add(plain);
        } else if (buffer.size() < BUFFERED_CHUNKS) {
            buffer.add(plain);
        } else {
            dropped++;
        }
        begun.countDown();
        return Optional.of(plain);
    }

    /** Says how it ended; what it is told later does not count. */
    synchronized void end(End how) {
        if (end != null) {
            return;
        }
        end = how;
        close();
        ended.countDown();
        begun.countDown();
        accepted.countDown();
    }

    /** Frees the keys of a request of which nothing is wanted any more. */
    synchronized void close() {
        closed = true;
        box.close();
        keys.close();
    }
}
