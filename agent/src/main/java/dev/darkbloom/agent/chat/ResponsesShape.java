package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * What both forms of an answer of OpenAI's Responses API share: the answer's pieces become output items, one after the other, each of one
 * kind, and what came of it is kept where responses are kept. White space that no text follows makes no item.
 */
abstract class ResponsesShape implements AnswerShape {
    private final ResponseHead head;
    private final ResponsesBody request;
    private final Optional<StoredResponses> stored;
    private final Content blank;      // white space that may still become the beginning of a message
    private final SseWriter output;   // items that have ended, with commas between them
    private final SseWriter text;     // of the open item, escaped
    private final SseWriter call;     // of the open call: its call_id and name
    private final SseWriter said;     // of all messages, escaped, for whoever goes on from here
    private final SseWriter thought;  // of all reasoning, escaped
    private final SseWriter calls;    // all calls, as chat messages have them
    private Item open = Item.NONE;
    private int items;
    private Status status = Status.IN_PROGRESS;
    private Optional<AgentException> failure = Optional.empty();
    private Status itemStatus = Status.IN_PROGRESS;
    private boolean kept;
    private boolean brokenOff; // nothing more is said of its items

    /** Kinds of output item. */
    enum Item {
        NONE(""),
        REASONING("rs"),
        MESSAGE("msg"),
        FUNCTION_CALL("fc");

        private final String prefix;

        Item(String prefix) {
            this.prefix = prefix;
        }
    }

    /** How far a response is. */
    enum Status {
        IN_PROGRESS("in_progress"),
        COMPLETED("completed"),
        INCOMPLETE("incomplete"),
        FAILED("failed"),
        CANCELLED("cancelled");

        private final String wire;

        Status(String wire) {
            this.wire = wire;
        }

        String wire() {
            return wire;
        }
    }

    /**
     * Borrows everything.
     *
     * @param stored where this response is kept; empty for nowhere
     */
    ResponsesShape(ContentArena memory, ResponseHead head, ResponsesBody request, Optional<StoredResponses> stored) {
        this.head = head;
        this.request = request;
        this.stored = stored;
        blank = memory.content(16);
        output = memory.writer(256);
        text = memory.writer(512);
        call = memory.writer(64);
        said = memory.writer(16);
        thought = memory.writer(16);
        calls = memory.writer(16);
    }

    /** Keeps the response as one that runs, where it is kept at all; {@code cancel} ends it. */
    final void keep(Runnable cancel) {
        if (stored.isPresent()) {
            try (SseWriter json = SseWriter.allocate(1024)) {
                writeResponse(json, Optional.empty());
                stored.get().begin(head.id(), json.segment(), request.items());
            }
            kept = true;
            stored.get().running(head.id(), cancel);
        }
    }

    /** An item has begun. */
    abstract void itemBegun(Item kind, int index);

    /** The open item goes on. */
    abstract void itemGoesOn(Item kind, int index, MemorySegment piece);

    /** The open item ends; it is still the open one. */
    abstract void itemEnds(Item kind, int index);

    @Override
    public final void reasoning(Choice choice, MemorySegment piece) {
        blank.clear();
        turnTo(Item.REASONING);
        thought.escaped(piece, 0, piece.byteSize());
        goOn(piece);
    }

    @Override
    public final void content(Choice choice, MemorySegment piece) {
        if (open != Item.MESSAGE) {
            if (isBlank(piece)) {
                blank.append(piece);
                return;
            }
            turnTo(Item.MESSAGE);
            if (blank.length() > 0) {
                say(blank.segment());
                blank.clear();
            }
        }
        say(piece);
    }

    private void say(MemorySegment piece) {
        said.escaped(piece, 0, piece.byteSize());
        goOn(piece);
    }

    private void goOn(MemorySegment piece) {
        text.escaped(piece, 0, piece.byteSize());
        itemGoesOn(open, items - 1, piece);
    }

    @Override
    public final void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        blank.clear();
        endOpenItem(Status.COMPLETED);
        call.raw("\"call_id\":").text(id).raw(",\"name\":").text(name);
        calls.raw(calls.length() > 0 ? "," : "").raw("{\"id\":").text(id).raw(",\"type\":\"function\",\"function\":{\"name\":").text(name).raw(",\"arguments\":\"");
        turnTo(Item.FUNCTION_CALL);
    }

    @Override
    public final void toolArguments(Choice choice, int index, MemorySegment piece) {
        calls.escaped(piece, 0, piece.byteSize());
        goOn(piece);
    }

    private void turnTo(Item kind) {
        if (open != kind) {
            endOpenItem(Status.COMPLETED);
            open = kind;
            itemBegun(kind, items++);
        }
    }

    private void endOpenItem(Status ended) {
        if (open == Item.NONE) {
            return;
        }
        itemStatus = ended;
        if (!brokenOff) {
            itemEnds(open, items - 1);
        }
        output.raw(output.length() > 0 ? "," : "");
        writeItem(output, ended);
        if (open == Item.FUNCTION_CALL) {
            calls.raw("\"}}");
        }
        text.reset();
        call.reset();
        open = Item.NONE;
    }

    /** Returns how the item that ends has ended. */
    final Status itemStatus() {
        return itemStatus;
    }

    private static boolean isBlank(MemorySegment piece) {
        for (long i = 0; i < piece.byteSize(); i++) {
            byte b = piece.get(ValueLayout.JAVA_BYTE, i);
            if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
                return false;
            }
        }
        return true;
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        status = choice.finishReason() == FinishReason.LENGTH ? Status.INCOMPLETE : Status.COMPLETED;
        endOpenItem(status);
    }

    /** Writes the response as it is now, and keeps it. */
    final void settle(SseWriter json, Optional<Usage> total) {
        writeResponse(json, total);
        if (kept) {
            try (SseWriter turns = SseWriter.allocate(256 + said.length() + thought.length() + calls.length())) {
                request.writeTurns(turns);
                writeTurn(turns);
                stored.orElseThrow().end(head.id(), json.segment(), turns.segment());
            }
            kept = false;
        }
    }

    /** Notes that the response ends without its end. */
    final void breakOff(AgentException error) {
        brokenOff = true;
        boolean cancelled = error.code() == ErrorCode.CANCELLED;
        status = cancelled ? Status.CANCELLED : Status.FAILED;
        failure = cancelled ? Optional.empty() : Optional.of(error);
        endOpenItem(Status.INCOMPLETE);
    }

    /** Keeps what there is of a response that is given up before its shape was told. */
    private void keepRest() {
        if (kept) {
            if (status == Status.IN_PROGRESS) {
                breakOff(new AgentException(ErrorCode.CANCELLED, "the request was given up"));
            }
            try (SseWriter json = SseWriter.allocate(1024)) {
                settle(json, Optional.empty());
            }
        }
    }

    /** Writes the answer as the message that the next request's conversation goes on from. */
    private void writeTurn(SseWriter turns) {
        turns.raw(",{\"role\":\"assistant\",\"content\":\"").raw(said).raw("\"");
        if (thought.length() > 0) {
            turns.raw(",\"reasoning_content\":\"").raw(thought).raw("\"");
        }
        if (calls.length() > 0) {
            turns.raw(",\"tool_calls\":[").raw(calls).raw("]");
        }
        turns.raw("}");
    }

    /** Writes the response object. */
    final void writeResponse(SseWriter json, Optional<Usage> total) {
        json.raw("{\"id\":").setting(head.id()).raw(",\"object\":\"response\",\"created_at\":").number(head.createdSeconds())
                .raw(",\"status\":\"").raw(status.wire()).raw("\",\"error\":");
        if (failure.isPresent()) {
            ErrorJson.writeResponses(json, failure.get());
        } else {
            json.raw("null");
        }
        json.raw(",\"incomplete_details\":").raw(status == Status.INCOMPLETE ? "{\"reason\":\"max_output_tokens\"}" : "null")
                .raw(",\"model\":").setting(head.model()).raw(",\"output\":[").raw(output).raw("]");
        request.writeEcho(json);
        json.raw(",\"usage\":");
        if (total.isPresent()) {
            writeUsage(json, total.get());
        } else {
            json.raw("null");
        }
        json.raw("}");
    }

    private static void writeUsage(SseWriter json, Usage usage) {
        json.raw("{\"input_tokens\":").number(usage.promptTokens())
                .raw(",\"input_tokens_details\":{\"cached_tokens\":").number(usage.cachedTokens())
                .raw("},\"output_tokens\":").number(usage.completionTokens())
                .raw(",\"output_tokens_details\":{\"reasoning_tokens\":").number(usage.reasoningTokens())
                .raw("},\"total_tokens\":").number((long) usage.promptTokens() + usage.completionTokens()).raw("}");
    }

    /** Writes the open item as a JSON string's worth of an object. */
    final void writeItem(SseWriter json, Status itemStatus) {
        json.raw("{\"id\":\"");
        writeItemId(json);
        json.raw("\",\"status\":\"").raw(itemStatus.wire()).raw("\",\"type\":\"");
        switch (open) {
            case REASONING -> {
                json.raw("reasoning\",\"summary\":[],\"content\":[");
                if (text.length() > 0) {
                    writePart(json);
                }
                json.raw("]}");
            }
            case MESSAGE -> {
                json.raw("message\",\"role\":\"assistant\",\"content\":[");
                if (text.length() > 0) {
                    writePart(json);
                }
                json.raw("]}");
            }
            case FUNCTION_CALL -> json.raw("function_call\",").raw(call).raw(",\"arguments\":\"").raw(text).raw("\"}");
            case NONE -> throw new IllegalStateException("no item is open");
        }
    }

    /** Writes the only part of the open item's content. */
    final void writePart(SseWriter json) {
        if (open == Item.REASONING) {
            json.raw("{\"type\":\"reasoning_text\",\"text\":\"").raw(text).raw("\"}");
        } else {
            json.raw("{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"").raw(text).raw("\"}");
        }
    }

    /** Writes the open item's text so far, escaped, without quotes. */
    final void writeText(SseWriter json) {
        json.raw(text);
    }

    /** Writes the open call's {@code call_id} and {@code name} members. */
    final void writeCall(SseWriter json) {
        json.raw(call);
    }

    /** Writes the open item's id without quotes; it is made of ours. */
    final void writeItemId(SseWriter json) {
        json.raw(open.prefix).raw("_").raw(head.id().substring(head.id().indexOf('_') + 1)).raw("_").number(items - 1);
    }

    @Override
    public void close() {
        keepRest();
        blank.close();
        output.close();
        text.close();
        call.close();
        said.close();
        thought.close();
        calls.close();
    }
}
