package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.SseWriter;

/**
 * The events of one streamed response: typed, numbered, one at a time: {@link #begin}, what it says, {@link #send}. Borrows its writer and
 * the sink; any thread, one at a time.
 */
final class ResponsesEvents {
    private final SseWriter event;
    private final ResponseSink sink;
    private long sequence;

    ResponsesEvents(SseWriter event, ResponseSink sink) {
        this.event = event;
        this.sink = sink;
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
        sink.event(event.buffer(), event.length());
    }

    /** Sends an event whose only member is a response. */
    void response(String type, SseWriter object) {
        begin(type).raw(",\"response\":").raw(object);
        send();
    }

    /** Begins a stream that says only that it was cancelled, or goes on with that; and ends it. */
    void cancelled() {
        begin("error").raw(",\"code\":\"cancelled\",\"message\":\"the response was cancelled\",\"param\":null");
        send();
        sink.abortStream();
    }
}
