package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** An answer as one {@code response} object of OpenAI's Responses API. */
final class ResponsesDocument extends ResponsesShape {
    private final ResponseSink sink;

    /** Borrows everything; parameters as in {@link ResponsesShape}. */
    ResponsesDocument(ContentArena memory, ResponseHead head, ResponseSink sink, ResponsesBody request, Optional<StoredResponses> stored) {
        super(memory, head, request, stored);
        this.sink = sink;
    }

    @Override
    public boolean isStream() {
        return false;
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        // the document is written at the end, whole
    }

    @Override
    void itemBegun(Item kind, int index) {
        // as above
    }

    @Override
    void itemGoesOn(Item kind, int index, MemorySegment piece) {
        // as above
    }

    @Override
    void itemEnds(Item kind, int index) {
        // as above
    }

    @Override
    public void end(Usage total) {
        try (SseWriter json = SseWriter.allocate(2048)) {
            settle(json, Optional.of(total));
            sink.document(json.segment());
        }
    }

    @Override
    public void fail(AgentException error) {
        breakOff(error);
        throw error; // nothing has been sent
    }
}
