package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A streamed answer: the typed and numbered events of OpenAI's Responses API. */
final class ResponsesEvents extends ResponsesShape {
    private final ResponseSink sink;
    private final SseWriter event;
    private long number;
    private boolean finished;

    /** Borrows everything; parameters as in {@link ResponsesShape}. */
    ResponsesEvents(ContentArena memory, ResponseHead head, ResponseSink sink, ResponsesBody request, Optional<StoredResponses> stored) {
        super(memory, head, request, stored);
        this.sink = sink;
        this.event = memory.writer(2048);
    }

    @Override
    public boolean isStream() {
        return true;
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        for (String type : new String[] {"response.created", "response.in_progress"}) {
            start(type).raw(",\"response\":");
            writeResponse(event, Optional.empty());
            send();
        }
    }

    @Override
    void itemBegun(Item kind, int index) {
        start("response.output_item.added").raw(",\"output_index\":").number(index).raw(",\"item\":");
        writeItem(event, Status.IN_PROGRESS);
        send();
        if (kind != Item.FUNCTION_CALL) {
            startAt("response.content_part.added", kind, index).raw(",\"part\":");
            writePart(event);
            send();
        }
    }

    @Override
    void itemGoesOn(Item kind, int index, MemorySegment piece) {
        startAt(switch (kind) {
            case REASONING -> "response.reasoning_text.delta";
            case MESSAGE -> "response.output_text.delta";
            case FUNCTION_CALL -> "response.function_call_arguments.delta";
            case NONE -> throw new IllegalStateException("no item is open");
        }, kind, index).raw(kind == Item.MESSAGE ? ",\"logprobs\":[],\"delta\":" : ",\"delta\":").text(piece);
        send();
    }

    @Override
    void itemEnds(Item kind, int index) {
        if (kind == Item.FUNCTION_CALL) {
            startAt("response.function_call_arguments.done", kind, index).raw(",");
            writeCall(event);
            event.raw(",\"arguments\":\"");
            writeText(event);
            event.raw("\"");
            send();
        } else {
            startAt(kind == Item.MESSAGE ? "response.output_text.done" : "response.reasoning_text.done", kind, index)
                    .raw(kind == Item.MESSAGE ? ",\"logprobs\":[],\"text\":\"" : ",\"text\":\"");
            writeText(event);
            event.raw("\"");
            send();
            startAt("response.content_part.done", kind, index).raw(",\"part\":");
            writePart(event);
            send();
        }
        start("response.output_item.done").raw(",\"output_index\":").number(index).raw(",\"item\":");
        writeItem(event, itemStatus());
        send();
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        super.finished(choice, total);
        finished = choice.finishReason() != FinishReason.LENGTH;
    }

    @Override
    public void end(Usage total) {
        tell(finished ? "response.completed" : "response.incomplete", Optional.of(total));
        sink.endTypedStream();
    }

    @Override
    public void fail(AgentException error) {
        breakOff(error);
        tell("response.failed", Optional.empty());
        sink.abortStream();
    }

    private void tell(String type, Optional<Usage> total) {
        try (SseWriter response = SseWriter.allocate(2048)) {
            settle(response, total);
            start(type).raw(",\"response\":").raw(response);
            send();
        }
    }

    /** Begins an event; its other members come next. */
    private SseWriter start(String type) {
        return event.reset().raw("event: ").raw(type).raw("\ndata: {\"type\":\"").raw(type).raw("\",\"sequence_number\":").number(number++);
    }

    /** Begins an event about the open item. */
    private SseWriter startAt(String type, Item kind, int index) {
        start(type).raw(",\"output_index\":").number(index).raw(",\"item_id\":\"");
        writeItemId(event);
        return event.raw(kind == Item.FUNCTION_CALL ? "\"" : "\",\"content_index\":0");
    }

    private void send() {
        event.raw("}");
        sink.event(event.buffer(), event.length());
    }

    @Override
    public void close() {
        super.close();
        event.close();
    }
}
