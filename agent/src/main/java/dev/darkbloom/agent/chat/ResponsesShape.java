package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * An answer as a {@code response} of OpenAI's Responses API: a document at the end, and events meanwhile where they are wanted. What the
 * model thinks, says and calls are items in the order in which they come.
 */
final class ResponsesShape implements AnswerShape {
    private enum Item {
        REASONING("rs_"),
        MESSAGE("msg_"),
        CALL("fc_");

        private final String prefix;

        Item(String prefix) {
            this.prefix = prefix;
        }
    }

    private final ResponseObject object;
    private final Optional<ResponsesEvents> events;
    private final ResponseSink sink;
    private final LongSupplier nowSeconds;
    private final Runnable taken;
    private final Consumer<MemorySegment> ended;
    private final String idTail;
    private final LogprobJson logprobs;
    private final SseWriter output;   // items that are complete
    private final SseWriter text;     // of the item that is not, escaped
    private final SseWriter call;     // its call_id and name
    private final SseWriter tokens;   // its log-probabilities
    private final SseWriter fresh;    // those of the latest piece
    private final SseWriter document;
    private Item item;
    private int items;
    private Choice answer; // once it has ended

    /**
     * Borrows everything.
     *
     * @param idTail what stands behind the kind in the ids of items
     * @param events for a stream
     * @param taken hears that the engine has taken the request
     * @param ended hears what the response has become, before the client does; a view until it returns
     */
    ResponsesShape(ContentArena memory, ResponseObject object, String idTail, Optional<ResponsesEvents> events, ResponseSink sink,
            LongSupplier nowSeconds, Runnable taken, Consumer<MemorySegment> ended) {
        this.object = object;
        this.idTail = idTail;
        this.events = events;
        this.sink = sink;
        this.nowSeconds = nowSeconds;
        this.taken = taken;
        this.ended = ended;
        logprobs = new LogprobJson(memory);
        output = memory.writer(512);
        text = memory.writer(512);
        call = memory.writer(64);
        tokens = memory.writer(16);
        fresh = memory.writer(16);
        document = memory.writer(2048);
    }

    @Override
    public boolean isStream() {
        return events.isPresent();
    }

    @Override
    public void submitted() {
        taken.run();
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        events.ifPresent(stream -> begin(stream, object, document));
    }

    /** Sends the first two events of a stream. */
    static void begin(ResponsesEvents stream, ResponseObject object, SseWriter scratch) {
        object.write(scratch.reset(), "in_progress");
        stream.response("response.created", scratch);
        stream.response("response.in_progress", scratch);
    }

    @Override
    public void reasoning(Choice choice, MemorySegment piece) {
        enter(Item.REASONING);
        choice.logprobs().ifPresent(LogprobBuffer::dropVisible);
        text.escaped(piece, 0, piece.byteSize());
        if (events.isPresent()) {
            part("response.reasoning_text.delta").raw(",\"delta\":").text(piece);
            events.get().send();
        }
    }

    @Override
    public void content(Choice choice, MemorySegment piece) {
        enter(Item.MESSAGE);
        text.escaped(piece, 0, piece.byteSize());
        fresh.reset();
        if (choice.logprobs().isPresent()) {
            logprobs.writeTokens(fresh, choice.logprobs().get(), choice.pieces());
            if (fresh.length() > 2) {
                tokens.raw(tokens.length() == 0 ? "" : ",").raw(fresh.buffer(), 1, fresh.length() - 2);
            }
        } else {
            fresh.raw("[]");
        }
        if (events.isPresent()) {
            part("response.output_text.delta").raw(",\"delta\":").text(piece).raw(",\"logprobs\":").raw(fresh);
            events.get().send();
        }
    }

    @Override
    public void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        leave("completed");
        call.reset().raw(",\"call_id\":").text(id).raw(",\"name\":").text(name);
        enter(Item.CALL);
        choice.logprobs().ifPresent(LogprobBuffer::dropVisible);
    }

    @Override
    public void toolArguments(Choice choice, int index, MemorySegment piece) {
        choice.logprobs().ifPresent(LogprobBuffer::dropVisible);
        text.escaped(piece, 0, piece.byteSize());
        if (events.isPresent()) {
            beginOfItem("response.function_call_arguments.delta").raw(",\"delta\":").text(piece);
            events.get().send();
        }
    }

    private void enter(Item next) {
        if (item == next) {
            return;
        }
        leave("completed");
        item = next;
        if (events.isEmpty()) {
            return;
        }
        SseWriter event = events.get().begin("response.output_item.added").raw(",\"output_index\":").number(items).raw(",\"item\":");
        writeItem(event, "in_progress", false);
        events.get().send();
        if (item != Item.CALL) {
            writePart(part("response.content_part.added").raw(",\"part\":"));
            events.get().send();
        }
    }

    /** Ends the item that is open, if one is. */
    private void leave(String status) {
        if (item == null) {
            return;
        }
        if (events.isPresent()) {
            sendDone();
            SseWriter event = events.get().begin("response.output_item.done").raw(",\"output_index\":").number(items).raw(",\"item\":");
            writeItem(event, status, true);
            events.get().send();
        }
        output.raw(items == 0 ? "" : ",");
        writeItem(output, status, true);
        items++;
        item = null;
        text.reset();
        tokens.reset();
    }

    private void sendDone() {
        switch (item) {
            case REASONING -> part("response.reasoning_text.done").raw(",\"text\":\"").raw(text).raw("\"");
            case MESSAGE -> part("response.output_text.done").raw(",\"text\":\"").raw(text).raw("\",\"logprobs\":[").raw(tokens).raw("]");
            case CALL -> beginOfItem("response.function_call_arguments.done").raw(call).raw(",\"arguments\":\"").raw(text).raw("\"");
        }
        events.get().send();
        if (item != Item.CALL) {
            writePart(part("response.content_part.done").raw(",\"part\":"));
            events.get().send();
        }
    }

    private SseWriter beginOfItem(String type) {
        SseWriter event = events.orElseThrow().begin(type).raw(",\"item_id\":\"");
        return writeId(event).raw("\",\"output_index\":").number(items);
    }

    private SseWriter part(String type) {
        return beginOfItem(type).raw(",\"content_index\":0");
    }

    private SseWriter writeId(SseWriter json) {
        return json.raw(item.prefix).raw(idTail).raw("_").number(items);
    }

    private void writePart(SseWriter json) {
        if (item == Item.REASONING) {
            json.raw("{\"type\":\"reasoning_text\",\"text\":\"").raw(text).raw("\"}");
        } else {
            json.raw("{\"type\":\"output_text\",\"text\":\"").raw(text).raw("\",\"annotations\":[],\"logprobs\":[").raw(tokens).raw("]}");
        }
    }

    /** Writes the open item; {@code whole} with its part. */
    private void writeItem(SseWriter json, String status, boolean whole) {
        writeId(json.raw("{\"id\":\"")).raw("\",\"status\":\"").raw(status).raw("\"");
        switch (item) {
            case REASONING -> json.raw(",\"type\":\"reasoning\",\"summary\":[],\"content\":[");
            case MESSAGE -> json.raw(",\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
            case CALL -> json.raw(",\"type\":\"function_call\"").raw(call).raw(",\"arguments\":\"").raw(text).raw("\"}");
        }
        if (item != Item.CALL) {
            if (whole) {
                writePart(json);
            }
            json.raw("]}");
        }
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        answer = choice;
        if (items == 0 && item == null) {
            enter(Item.MESSAGE); // an answer without a word is a message without a word
        }
        leave(choice.isComplete() ? "completed" : "incomplete");
    }

    @Override
    public void end(Usage total) {
        object.writeEnded(document.reset(), output, total, answer, nowSeconds.getAsLong());
        ended.accept(document.segment());
        if (events.isPresent()) {
            events.get().response(answer.isComplete() ? "response.completed" : "response.incomplete", document);
            sink.endTypedStream();
        } else {
            sink.document(document.segment());
        }
    }

    @Override
    public void fail(AgentException error) {
        object.writeFailed(document.reset(), error);
        ended.accept(document.segment());
        events.orElseThrow(() -> error).response("response.failed", document);
        sink.abortStream();
    }

    @Override
    public void close() {
        logprobs.close();
        output.close();
        text.close();
        call.close();
        tokens.close();
        fresh.close();
        document.close();
    }
}
