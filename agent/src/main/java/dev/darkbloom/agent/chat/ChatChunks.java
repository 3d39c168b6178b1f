package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A streamed chat completion: {@code chat.completion.chunk} events of OpenAI's API. */
final class ChatChunks implements AnswerShape {
    private final ChunkEvents events;
    private final LogprobJson logprobs;

    /** Borrows {@code memory} and {@code sink}; {@code form} says what its events carry. */
    ChatChunks(ContentArena memory, ResponseHead answer, ResponseSink sink, AnswerSettings form) {
        logprobs = new LogprobJson(memory);
        events = new ChunkEvents(memory, answer, "chat.completion.chunk", sink, form.includeUsage(), form.timesEvents());
    }

    @Override
    public boolean isStream() {
        return true;
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        for (Choice choice : choices) {
            SseWriter event = beginDelta(choice).raw("\"role\":\"assistant\",\"content\":\"\"");
            sendUnfinished(event, choice);
        }
    }

    @Override
    public void reasoning(Choice choice, MemorySegment text) {
        sendUnfinished(beginDelta(choice).raw("\"reasoning_content\":").text(text), choice);
    }

    @Override
    public void content(Choice choice, MemorySegment text) {
        sendUnfinished(beginDelta(choice).raw("\"content\":").text(text), choice);
    }

    @Override
    public void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        SseWriter event = beginDelta(choice).raw("\"tool_calls\":[{\"index\":").number(index)
                .raw(",\"id\":").text(id)
                .raw(",\"type\":\"function\",\"function\":{\"name\":").text(name)
                .raw(",\"arguments\":\"\"}}]");
        sendUnfinished(event, choice);
    }

    @Override
    public void toolArguments(Choice choice, int index, MemorySegment text) {
        sendUnfinished(
                beginDelta(choice).raw("\"tool_calls\":[{\"index\":").number(index).raw(",\"function\":{\"arguments\":").text(text).raw("}}]"),
                choice);
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        SseWriter event = beginDelta(choice);
        endDelta(event, choice);
        event.raw(",\"finish_reason\":\"").raw(choice.finishReason().wire()).raw("\"");
        choice.writeWarning(event);
        event.raw("}]");
        total.ifPresentOrElse(events::sendLast, events::send);
    }

    @Override
    public void end(Usage total) {
        events.end(total);
    }

    @Override
    public void fail(AgentException error) {
        events.fail("\"delta\":{}", error);
    }

    private SseWriter beginDelta(Choice choice) {
        return events.begin(choice).raw("\"delta\":{");
    }

    private void sendUnfinished(SseWriter event, Choice choice) {
        endDelta(event, choice);
        event.raw(",\"finish_reason\":null}]");
        events.send();
    }

    private void endDelta(SseWriter event, Choice choice) {
        event.raw("}");
        if (choice.logprobs().isPresent() && choice.logprobs().get().visible() > 0) {
            event.raw(",\"logprobs\":");
            logprobs.writeChat(event, choice.logprobs().get(), choice.pieces());
        }
    }

    @Override
    public void close() {
        events.close();
        logprobs.close();
    }
}
