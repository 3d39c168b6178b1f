package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.Presence;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.Executor;

/** A sink whose answer can be cancelled by somebody else than the other side. */
final class CancellableSink implements ResponseSink {
    private final ResponseSink to;
    private final Presence interest = new Presence();

    /** Borrows {@code to}. */
    CancellableSink(ResponseSink to) {
        this.to = to;
    }

    /** Has the answer end as if the other side had gone. Any thread; a second call does nothing. */
    void cancel() {
        interest.leave();
    }

    boolean isCancelled() {
        return interest.isGone();
    }

    @Override
    public void document(MemorySegment json) {
        to.document(json);
    }

    @Override
    public void beginStream() {
        to.beginStream();
    }

    @Override
    public void event(MemorySegment buffer, long size) {
        to.event(buffer, size);
    }

    @Override
    public void ping() {
        to.ping();
    }

    @Override
    public void endStream() {
        to.endStream();
    }

    @Override
    public void endTypedStream() {
        to.endTypedStream();
    }

    @Override
    public void abortStream() {
        to.abortStream();
    }

    @Override
    public boolean isGone() {
        return interest.isGone() || to.isGone();
    }

    @Override
    public void onGone(Runnable action) {
        interest.onGone(action);
        to.onGone(action);
    }

    @Override
    public void used(Usage usage) {
        to.used(usage);
    }

    @Override
    public Optional<Executor> loop() {
        return to.loop();
    }

    @Override
    public boolean hasRoom() {
        return to.hasRoom();
    }

    @Override
    public void onRoom(Runnable action) {
        to.onRoom(action);
    }

    @Override
    public long eventGapNanos() {
        return to.eventGapNanos();
    }
}
