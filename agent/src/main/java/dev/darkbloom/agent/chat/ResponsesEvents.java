package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.function.ObjLongConsumer;

/**
 * The events of one streamed response: typed, numbered, one at a time: {@link #begin}, what it says, {@link #send}. Borrows all it is
 * given; any thread, one at a time.
 */
final class ResponsesEvents {
    private final SseWriter event;
    private final ResponseSink sink;
    private final ObjLongConsumer<MemorySegment> keeper;
    private long sequence;

    /**
     * Events whose first is number {@code sequence}; {@code keeper} hears each before the sink does, as {@link ResponseSink#event} would.
     */
    ResponsesEvents(SseWriter event, ResponseSink sink, long sequence, ObjLongConsumer<MemorySegment> keeper) {
        this.event = event;
        this.sink = sink;
        this.sequence = sequence;
        this.keeper = keeper;
    }

    /** Returns whether an event has been begun. */
    boolean hasBegun() {
        return sequence > 0;
    }

    /** Begins an event; what it says comes next, after a comma. */
    SseWriter begin(String type) {
        return event.reset().raw("event: ").raw(type).raw("\n").beginData().raw("{\"type\":\"").raw(type)
                .raw("\",\"sequence_number\":").number(sequence++);
    }

    /** Ends the event and hands it on. */
    void send() {
        event.raw("}");
        keeper.accept(event.buffer(), event.length());
        sink.event(event.buffer(), event.length());
    }

    /** Sends an event whose only member is a response. */
    void response(String type, SseWriter object) {
        begin(type).raw(",\"response\":").raw(object);
        send();
    }

    /** Ends the stream with an error, which may be its only event; both texts are ours. */
    void abort(String code, String message) {
        begin("error").raw(",\"code\":\"").raw(code).raw("\",\"message\":\"").raw(message).raw("\",\"param\":null");
        send();
        sink.abortStream();
    }
}
