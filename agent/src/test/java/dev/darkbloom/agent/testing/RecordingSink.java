package dev.darkbloom.agent.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.chat.Usage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Keeps what an answer sent, as text; goes away when a test says so. */
public final class RecordingSink implements ResponseSink {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<String> events = new ArrayList<>();
    private final List<String> types = new ArrayList<>();
    private final List<Runnable> onGone = new ArrayList<>();
    private final int goneAfterEvents;
    private String document;
    private Usage usage;
    private int pings;
    private boolean begun;
    private boolean ended;
    private boolean aborted;
    private boolean typed;
    private boolean gone;
    private long eventGapNanos;
    private int progress;
    private String chosen;
    private AgentException refusal;
    private boolean takesFailures;
    private int actsAfterEvents = Integer.MAX_VALUE;
    private Runnable action = () -> { };

    public RecordingSink() {
        this(Integer.MAX_VALUE);
    }

    /** Makes a sink whose other side goes away once it has seen some events. */
    public RecordingSink(int goneAfterEvents) {
        this.goneAfterEvents = goneAfterEvents;
    }

    /** Asks for some time between events. */
    public RecordingSink withEventGap(long nanos) {
        eventGapNanos = nanos;
        return this;
    }

    /** Does something, before an event's sender goes on, when so many have been sent. */
    public RecordingSink after(int eventCount, Runnable then) {
        actsAfterEvents = eventCount;
        action = then;
        return this;
    }

    /** Has failures thrown, as the sink of a coordinator does. */
    public RecordingSink takingFailures() {
        takesFailures = true;
        return this;
    }

    @Override
    public boolean takesFailures() {
        return takesFailures;
    }

    /** Refuses a request as soon as its model is known. */
    public RecordingSink refusing(AgentException why) {
        refusal = why;
        return this;
    }

    @Override
    public void chosen(String modelId) {
        chosen = modelId;
        if (refusal != null) {
            throw refusal;
        }
    }

    /** Returns the model that was to be loaded next. */
    public String chosen() {
        return chosen;
    }

    /** Returns how often it was told that tokens came. */
    public int progress() {
        return progress;
    }

    @Override
    public void progressed() {
        progress++;
    }

    @Override
    public long eventGapNanos() {
        return eventGapNanos;
    }

    @Override
    public void document(MemorySegment json) {
        refuseWhenGone();
        if (document != null || begun) {
            throw new IllegalStateException("a second answer");
        }
        document = OffHeap.text(json);
    }

    @Override
    public void beginStream() {
        refuseWhenGone();
        if (document != null || begun) {
            throw new IllegalStateException("a second answer");
        }
        begun = true;
    }

    @Override
    public void event(MemorySegment buffer, long size) {
        MemorySegment dataLine = buffer.asSlice(0, size);
        refuseWhenGone();
        if (!begun || ended || aborted) {
            throw new IllegalStateException("an event outside a stream");
        }
        String line = OffHeap.text(dataLine);
        if (line.startsWith("event: ")) {
            int end = line.indexOf('\n');
            types.add(line.substring("event: ".length(), end));
            line = line.substring(end + 1);
        }
        if (!line.startsWith("data: ") || line.contains("\n")) {
            throw new IllegalStateException("not a data line");
        }
        events.add(line.substring(6));
        if (events.size() >= goneAfterEvents) {
            goAway();
        }
        if (events.size() == actsAfterEvents) {
            action.run();
        }
    }

    @Override
    public void ping() {
        refuseWhenGone();
        pings++;
    }

    @Override
    public void endStream() {
        refuseWhenGone();
        ended = true;
    }

    @Override
    public void endTypedStream() {
        endStream();
        typed = true;
    }

    @Override
    public void abortStream() {
        aborted = true;
    }

    @Override
    public boolean isGone() {
        return gone;
    }

    @Override
    public void onGone(Runnable action) {
        onGone.add(action);
        if (gone) {
            action.run();
        }
    }

    @Override
    public void used(Usage total) {
        usage = total;
    }

    /** Has the other side go away. */
    public void goAway() {
        gone = true;
        onGone.forEach(Runnable::run);
    }

    private void refuseWhenGone() {
        if (gone) {
            throw new AgentException(ErrorCode.CANCELLED, "the other side is gone");
        }
    }

    /** Returns the events as JSON. */
    public List<JsonNode> events() {
        return events.stream().map(RecordingSink::parse).toList();
    }

    /** Returns the document as JSON. */
    public JsonNode json() {
        return parse(document);
    }

    /** Returns everything that was sent, as text. */
    public String all() {
        return document + String.join("\n", events);
    }

    private static JsonNode parse(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new AssertionError("not JSON: " + text, e);
        }
    }

    public boolean hasDocument() {
        return document != null;
    }

    public Usage usage() {
        return usage;
    }

    public int pings() {
        return pings;
    }

    public boolean hasBegun() {
        return begun;
    }

    public boolean hasEnded() {
        return ended;
    }

    /** Returns the types that stand before the events, of those that have one. */
    public List<String> types() {
        return types;
    }

    /** Returns whether the stream ended as one whose last event says so. */
    public boolean hasEndedTyped() {
        return typed;
    }

    public boolean isAborted() {
        return aborted;
    }
}
