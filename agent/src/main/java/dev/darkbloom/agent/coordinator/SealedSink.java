package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Presence;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.chat.Usage;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.crypto.ResponseHash;
import dev.darkbloom.agent.protocol.ChunkFrames;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Optional;

/**
 * An answer on its way to a coordinator: each event is sealed for the request and sent as one chunk (provider protocol, 6 and 8).
 *
 * <p>Belongs to the request's thread, but for {@link #isGone} and {@link #onGone}. Text comes at most every {@link #GAP}: a coordinator keeps a
 * few hundred chunks for a slow reader, drops the others, and says nothing.
 */
final class SealedSink implements ResponseSink, AutoCloseable {
    /** Least time between two chunks with text of one request. */
    static final Duration GAP = Duration.ofMillis(25);
    /** How long a chunk waits for a connection that takes nothing. */
    private static final Duration STALLED = Duration.ofSeconds(60);
    private static final String DATA = "data: ";

    private final Outlet outlet;
    private final RequestBox box;
    private final ChunkFrames frames;
    private final Presence presence;
    private final Milestones milestones;
    private final Optional<ResponseHash> hash;
    private final Content sealed = Content.confined(1024);
    private final Content frame = Content.confined(2048);
    private boolean begun;
    private Optional<Usage> usage = Optional.empty();

    /** Hears how far an answer is; by the request's thread. */
    interface Milestones {
        /** The model will be loaded next if it is not, unless this throws. */
        void chosen(String modelId);

        /** The prompt will be submitted next, unless this throws. */
        void prepared(String modelId, int promptTokens);

        /** The first chunk is sent next. */
        void firstChunk();

        /** A chunk was handed to the connection. */
        void chunkSent();

        /** The engine has produced something, of which there may be no chunk yet. */
        void progressed();
    }

    /**
     * Borrows everything but {@code hash}, which it takes.
     *
     * @param hash collects the answer for its signature
     */
    SealedSink(RequestId id, Outlet outlet, RequestBox box, String publicKey, Presence presence, Milestones milestones, Optional<ResponseHash> hash) {
        this.outlet = outlet;
        this.box = box;
        this.frames = new ChunkFrames(id, publicKey);
        this.presence = presence;
        this.milestones = milestones;
        this.hash = hash;
    }

    @Override
    public void chosen(String modelId) {
        milestones.chosen(modelId);
    }

    @Override
    public void prepared(String modelId, int promptTokens) {
        milestones.prepared(modelId, promptTokens);
    }

    @Override
    public void document(MemorySegment json) {
        try (Content chunk = Content.confined(json.byteSize() + DATA.length())) {
            chunk.appendAscii(DATA);
            chunk.append(json);
            event(chunk.buffer(), chunk.length());
        }
    }

    @Override
    public void beginStream() {
        // the first event begins it
    }

    @Override
    public void event(MemorySegment buffer, long size) {
        if (presence.isGone()) {
            throw new AgentException(ErrorCode.CANCELLED, "the request was cancelled");
        }
        sealed.clear();
        box.seal(buffer, 0, size, sealed);
        frame.clear();
        frames.write(sealed.buffer(), 0, sealed.length(), frame);
        if (!begun) {
            begun = true;
            milestones.firstChunk();
        }
        awaitRoom();
        hash.ifPresent(of -> of.add(buffer, 0, size));
        outlet.send(frame.buffer(), frame.length());
        milestones.chunkSent();
    }

    private void awaitRoom() {
        try {
            if (!outlet.awaitRoom(STALLED.toNanos())) {
                throw new AgentException(ErrorCode.CANCELLED, "the connection takes nothing any more");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AgentException(ErrorCode.CANCELLED, "the request was interrupted");
        }
    }

    @Override
    public void ping() {
        // the protocol has no sign of life within an answer
    }

    @Override
    public void endStream() {
        // inference_complete says so; the coordinator adds its own [DONE]
    }

    @Override
    public void endTypedStream() {
        // as endStream
    }

    @Override
    public void abortStream() {
        throw new IllegalStateException("a failure is thrown here, not told in the stream");
    }

    @Override
    public boolean takesFailures() {
        return true;
    }

    @Override
    public boolean isGone() {
        return presence.isGone();
    }

    @Override
    public void onGone(Runnable action) {
        presence.onGone(action);
    }

    @Override
    public void progressed() {
        milestones.progressed();
    }

    @Override
    public void used(Usage total) {
        usage = Optional.of(total);
    }

    @Override
    public long eventGapNanos() {
        return GAP.toNanos();
    }

    /** Returns what the answer took; nothing before its end. */
    Usage usage() {
        return usage.orElseGet(() -> new Usage(0, 0, 0, 0, 0, 0));
    }

    /** Returns whether a chunk was sent. */
    boolean hasBegun() {
        return begun;
    }

    /** Returns the hash of all chunks, where one is collected. */
    Optional<String> hash(RequestId id) {
        return hash.map(of -> of.finish(id, usage().completionTokens()));
    }

    @Override
    public void close() {
        sealed.close();
        frame.close();
        hash.ifPresent(ResponseHash::close);
    }
}
