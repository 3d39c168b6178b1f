package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.chat.ResponseSink;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.Executor;

/** The answer to one HTTP request: a document, or server-sent events (WHATWG HTML, 9.2). Used by the request's thread, or by the event loop while an answer is carried there. */
final class HttpSink implements ResponseSink {
    private static final MemorySegment NOTHING = MemorySegment.NULL;
    private static final MemorySegment EVENT_END = bytes("\n\n");
    private static final MemorySegment PING = bytes(": ping\n\n");
    private static final MemorySegment DONE = bytes("data: [DONE]\n\n");
    private static final MemorySegment DATA = bytes("data: ");

    private final Exchange exchange;
    private final ResponseHeads heads;
    private final Outbox outbox;
    private Phase phase = Phase.SILENT;

    private enum Phase {
        SILENT,
        STREAMING,
        ENDED
    }

    HttpSink(Exchange exchange, ResponseHeads heads, Outbox outbox) {
        this.exchange = exchange;
        this.heads = heads;
        this.outbox = outbox;
    }

    @Override
    public void document(MemorySegment json) {
        page(ResponseHeads.JSON, json);
    }

    /** Answers with a whole document of any type. */
    void page(String contentType, MemorySegment body) {
        enter(Phase.SILENT, Phase.ENDED);
        outbox.start(heads.document(exchange, 200, contentType, body.byteSize()));
        if (!exchange.headOnly()) {
            outbox.append(body, NOTHING);
        }
        outbox.end();
    }

    @Override
    public void beginStream() {
        enter(Phase.SILENT, Phase.STREAMING);
        outbox.start(heads.stream(exchange));
    }

    @Override
    public void event(MemorySegment buffer, long size) {
        require(Phase.STREAMING);
        outbox.append(buffer, size, EVENT_END);
    }

    @Override
    public void ping() {
        if (phase == Phase.STREAMING) {
            outbox.append(PING, NOTHING);
        }
    }

    @Override
    public void endStream() {
        enter(Phase.STREAMING, Phase.ENDED);
        outbox.append(DONE, NOTHING);
        outbox.end();
    }

    @Override
    public void endTypedStream() {
        enter(Phase.STREAMING, Phase.ENDED);
        outbox.end();
    }

    @Override
    public void abortStream() {
        enter(Phase.STREAMING, Phase.ENDED);
        outbox.end();
    }

    @Override
    public Optional<Executor> loop() {
        return Optional.of(outbox.loop());
    }

    @Override
    public boolean hasRoom() {
        return outbox.hasRoom();
    }

    @Override
    public void onRoom(Runnable action) {
        outbox.onRoom(action);
    }

    @Override
    public boolean isGone() {
        return exchange.presence().isGone();
    }

    @Override
    public void onGone(Runnable action) {
        exchange.presence().onGone(action);
    }

    /** Ends whatever has begun because of {@code error}: a refusal before the first byte, an event after it, nothing after the end. */
    void fail(AgentException error) {
        byte[] envelope = ErrorEnvelope.of(error);
        switch (phase) {
            case SILENT -> {
                phase = Phase.ENDED;
                outbox.start(heads.refusal(exchange, error.code(), "", envelope.length));
                if (!exchange.headOnly()) {
                    outbox.append(MemorySegment.ofArray(envelope), NOTHING);
                }
                outbox.end();
            }
            case STREAMING -> {
                phase = Phase.ENDED;
                outbox.append(DATA, MemorySegment.ofArray(envelope));
                outbox.append(EVENT_END, NOTHING);
                outbox.end();
            }
            case ENDED -> { }
        }
    }

    boolean hasEnded() {
        return phase == Phase.ENDED;
    }

    private void enter(Phase from, Phase to) {
        require(from);
        phase = to;
    }

    private void require(Phase wanted) {
        if (phase != wanted) {
            throw new IllegalStateException("the answer is " + phase + ", not " + wanted);
        }
    }

    /** Returns a text of ours outside the heap, for the life of the program. */
    private static MemorySegment bytes(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return Arena.global().allocate(utf8.length).copyFrom(MemorySegment.ofArray(utf8));
    }
}
