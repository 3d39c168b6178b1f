package dev.darkbloom.agent.chat;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.Executor;

/**
 * Where an answer goes: a local connection, or a coordinator's sealed chunks.
 *
 * <p>Called by one thread at a time, but for {@link #onGone}: the request's, or the sink's own {@link #loop} while an answer is carried there.
 * Every method that takes a segment borrows it until it returns; each may
 * block while the other side is slow, within the sink's own limits, and throws {@code AgentException(CANCELLED)} when the other side is
 * gone.
 */
public interface ResponseSink {
    /** Answers with one JSON document, whole. */
    void document(MemorySegment json);

    /** Begins a stream of events; called once, before the first {@link #event}. */
    void beginStream();

    /**
     * Sends one event: the first {@code size} bytes of {@code buffer} are {@code data: <json>} without line ends, after a line {@code event:
     * <type>} where the API has typed events.
     */
    void event(MemorySegment buffer, long size);

    /** Sends one event, whose bytes are all of {@code dataLine}. */
    default void event(MemorySegment dataLine) {
        event(dataLine, dataLine.byteSize());
    }

    /** Sends a comment that keeps the connection alive; does nothing where the transport has none. */
    void ping();

    /** Ends a stream that succeeded; a local connection writes {@code [DONE]}. */
    void endStream();

    /** Ends a stream that succeeded, of an API whose last event says so itself: nothing is added to it. */
    void endTypedStream();

    /** Ends a stream that failed after it had begun; the event with the error has been sent and {@code [DONE]} is not. */
    void abortStream();

    /**
     * Returns whether a failure after the first event is thrown to the sink's owner, who tells of it outside the stream, instead of being told
     * by an event and {@link #abortStream}.
     */
    default boolean takesFailures() {
        return false;
    }

    /** Returns whether the other side is gone. */
    boolean isGone();

    /** Has {@code action} run once when the other side goes away, at once if it is gone already; from any thread, must not block. */
    void onGone(Runnable action);

    /**
     * The request's model is known and is loaded next, unless it is there already.
     *
     * @throws dev.darkbloom.agent.base.AgentException when it need not be
     */
    default void chosen(String modelId) {}

    /**
     * The prompt is ready and will be submitted next.
     *
     * @param promptTokens of the longest prompt
     * @throws dev.darkbloom.agent.base.AgentException when it need not be
     */
    default void prepared(String modelId, int promptTokens) {}

    /** Tokens came from the engine, whether or not there is an event of them: they may be held back, or wait for the end. */
    default void progressed() {}

    /** Tells what an answer took, once, before {@link #document} or {@link #endStream}; for those who account for it. */
    default void used(Usage usage) {}

    /**
     * Returns the thread that this sink writes from, where answers can be put into events with no further hop; empty to have that done by the
     * request's thread. On it no method of the sink waits; {@link #hasRoom} says when to stop.
     */
    default Optional<Executor> loop() {
        return Optional.empty();
    }

    /** On the loop: returns whether the other side takes more for now. */
    default boolean hasRoom() {
        return true;
    }

    /** Has {@code action} run on the loop whenever there is room again after there was none. */
    default void onRoom(Runnable action) {}

    /**
     * Returns the least time between two events with text, in nanoseconds; what comes in between is merged into one event. 0 sends every
     * piece at once.
     */
    default long eventGapNanos() {
        return 0;
    }
}
