package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;

/**
 * The events of one streamed OpenAI answer: what every chunk of it begins and ends with, whichever object it carries.
 *
 * <p>Owned by the shape that writes through it; the request's thread only. One event is written at a time: {@link #begin}, its choices,
 * {@link #send}.
 */
final class ChunkEvents implements AutoCloseable {
    private final ResponseSink sink;
    private final boolean includeUsage;
    private final boolean timesEvents;
    private final SseWriter head;
    private final SseWriter event;
    private Choice timed; // whose times the event that is being written will carry

    /**
     * Borrows {@code memory} and {@code sink}.
     *
     * @param includeUsage asks for a last event with usage and no choices
     * @param timesEvents asks for the times so far in every event
     */
    ChunkEvents(ContentArena memory, ResponseHead answer, String object, ResponseSink sink, boolean includeUsage, boolean timesEvents) {
        this.head = memory.writer(256);
        this.event = memory.writer(1024);
        this.sink = sink;
        this.includeUsage = includeUsage;
        this.timesEvents = timesEvents;
        head.beginData();
        answer.write(head, object);
    }

    /** Begins an event whose only choice is {@code choice}; what it says comes next, and the closing brackets. */
    SseWriter begin(Choice choice) {
        timed = timesEvents ? choice : null;
        return begin(choice.index());
    }

    /** As the other, without times. */
    SseWriter begin(int index) {
        return event.reset().raw(head).raw("\"choices\":[{\"index\":").number(index).raw(",");
    }

    /** Ends the event and hands it on. */
    void send() {
        if (timed != null) {
            event.raw(",");
            Usage.of(timed).writeTimings(event);
            timed = null;
        }
        event.raw("}");
        sink.event(event.buffer(), event.length());
    }

    /** Ends the event of an answer's last choice: usage rides on it unless an event of its own was asked for. */
    void sendLast(Usage total) {
        if (!includeUsage) {
            timed = null; // they come with the usage
            writeUsage(total);
        }
        send();
    }

    /** Ends the stream. */
    void end(Usage total) {
        if (includeUsage) {
            event.reset().raw(head).raw("\"choices\":[]");
            writeUsage(total);
            send();
        }
        sink.endStream();
    }

    /**
     * Tells of a failure and breaks the stream off.
     *
     * @param emptyChoice what a choice that says nothing holds, for example {@code "delta":{}}
     */
    void fail(String emptyChoice, AgentException error) {
        timed = null;
        begin(0).raw(emptyChoice).raw(",\"finish_reason\":\"error\"}],");
        ErrorJson.write(event, error);
        send();
        sink.abortStream();
    }

    private void writeUsage(Usage total) {
        event.raw(",");
        total.write(event);
    }

    @Override
    public void close() {
        head.close();
        event.close();
    }
}
