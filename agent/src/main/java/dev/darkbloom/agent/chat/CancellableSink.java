package dev.darkbloom.agent.chat;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;

/** A sink whose answer can be cancelled by somebody else than the other side. */
final class CancellableSink implements ResponseSink {
    private final ResponseSink to;
    private final List<Runnable> actions = new ArrayList<>();
    private volatile boolean cancelled;

    /** Borrows {@code to}. */
    CancellableSink(ResponseSink to) {
        this.to = to;
    }

    /** Has the answer end as if the other side had gone. Any thread; a second call does nothing. */
    void cancel() {
        List<Runnable> due;
        synchronized (actions) {
            cancelled = true;
            due = List.copyOf(actions);
            actions.clear();
        }
        due.forEach(Runnable::run);
    }

    boolean isCancelled() {
        return cancelled;
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
        return cancelled || to.isGone();
    }

    @Override
    public void onGone(Runnable action) {
        synchronized (actions) {
            if (!cancelled) {
                actions.add(action);
            }
        }
        if (cancelled) {
            action.run();
        }
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
