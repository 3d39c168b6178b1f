package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A streamed text completion: {@code text_completion} events of OpenAI's API. */
final class TextChunks implements AnswerShape {
    private final ChunkEvents events;
    private final long[] textOffsets; // characters handed out, per choice
    private final LogprobJson logprobs;

    /** Borrows {@code memory} and {@code sink}; {@code form} says what its events carry. */
    TextChunks(ContentArena memory, ResponseHead answer, ResponseSink sink, AnswerSettings form, int choices) {
        logprobs = new LogprobJson(memory);
        events = new ChunkEvents(memory, answer, "text_completion", sink, form.includeUsage(), form.timesEvents());
        textOffsets = new long[choices];
    }

    @Override
    public boolean isStream() {
        return true;
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        // this API has no event without text
    }

    @Override
    public void content(Choice choice, MemorySegment text) {
        SseWriter event = beginText(choice).text(text);
        writeLogprobs(event, choice);
        event.raw(",\"finish_reason\":null}]");
        events.send();
    }

    @Override
    public void reasoning(Choice choice, MemorySegment text) {
        throw new IllegalStateException("text completions are not parsed");
    }

    @Override
    public void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        throw new IllegalStateException("text completions are not parsed");
    }

    @Override
    public void toolArguments(Choice choice, int index, MemorySegment text) {
        throw new IllegalStateException("text completions are not parsed");
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        SseWriter event = beginText(choice).raw("\"\"");
        writeLogprobs(event, choice);
        event.raw(",\"finish_reason\":\"").raw(choice.finishReason().wire()).raw("\"}]");
        total.ifPresentOrElse(events::sendLast, events::send);
    }

    @Override
    public void end(Usage total) {
        events.end(total);
    }

    @Override
    public void fail(AgentException error) {
        events.fail("\"text\":\"\",\"logprobs\":null", error);
    }

    private SseWriter beginText(Choice choice) {
        return events.begin(choice).raw("\"text\":");
    }

    private void writeLogprobs(SseWriter event, Choice choice) {
        event.raw(",\"logprobs\":");
        if (choice.logprobs().isPresent() && choice.logprobs().get().visible() > 0) {
            textOffsets[choice.index()] = logprobs.writeText(event, choice.logprobs().get(), choice.pieces(), textOffsets[choice.index()]);
        } else {
            event.raw("null");
        }
    }

    @Override
    public void close() {
        events.close();
        logprobs.close();
    }
}
