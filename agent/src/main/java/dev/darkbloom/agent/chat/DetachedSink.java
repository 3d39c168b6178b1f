package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Consumer;

/** Where an answer goes that nobody has to wait for: to a client as long as one is there, and on without it. */
final class DetachedSink implements ResponseSink {
    private final Optional<ResponseSink> client;

    /** Borrows the client's sink. */
    DetachedSink(Optional<ResponseSink> client) {
        this.client = client;
    }

    private void tell(Consumer<ResponseSink> what) {
        if (client.isEmpty() || client.get().isGone()) {
            return;
        }
        try {
            what.accept(client.get());
        } catch (AgentException e) {
            if (e.code() != ErrorCode.CANCELLED) {
                throw e;
            }
        }
    }

    @Override
    public void document(MemorySegment json) {
        tell(sink -> sink.document(json));
    }

    @Override
    public void beginStream() {
        tell(ResponseSink::beginStream);
    }

    @Override
    public void event(MemorySegment buffer, long size) {
        tell(sink -> sink.event(buffer, size));
    }

    @Override
    public void ping() {
        tell(ResponseSink::ping);
    }

    @Override
    public void endStream() {
        tell(ResponseSink::endStream);
    }

    @Override
    public void endTypedStream() {
        tell(ResponseSink::endTypedStream);
    }

    @Override
    public void abortStream() {
        tell(ResponseSink::abortStream);
    }

    @Override
    public boolean isGone() {
        return false;
    }

    @Override
    public void onGone(Runnable action) {
        // an answer that nobody waits for goes on
    }

    @Override
    public void used(Usage usage) {
        tell(sink -> sink.used(usage));
    }
}
