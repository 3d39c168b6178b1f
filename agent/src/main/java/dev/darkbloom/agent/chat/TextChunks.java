package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A streamed text completion: {@code text_completion} events of OpenAI's API. */
final class TextChunks implements AnswerShape {
    private final ResponseSink sink;
    private final boolean includeUsage;
    private final long[] textOffsets; // characters handed out, per choice
    private final SseWriter head = SseWriter.allocate(256);
    private final SseWriter event = SseWriter.allocate(1024);
    private final LogprobJson logprobs = new LogprobJson();

    /** Borrows {@code sink}; {@code includeUsage} asks for a last event with usage and no choices. */
    TextChunks(ResponseHead answer, ResponseSink sink, boolean includeUsage, int choices) {
        this.sink = sink;
        this.includeUsage = includeUsage;
        this.textOffsets = new long[choices];
        head.beginData();
        answer.write(head, "text_completion");
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
        beginChoice(choice).text(text);
        writeLogprobs(choice);
        event.raw(",\"finish_reason\":null}]");
        send();
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
        beginChoice(choice).raw("\"\"");
        writeLogprobs(choice);
        event.raw(",\"finish_reason\":\"").raw(choice.finishReason().wire()).raw("\"}]");
        if (total.isPresent() && !includeUsage) {
            writeUsage(total.get());
        }
        send();
    }

    @Override
    public void end(Usage total) {
        if (includeUsage) {
            event.reset().raw(head).raw("\"choices\":[]");
            writeUsage(total);
            send();
        }
        sink.endStream();
    }

    @Override
    public void fail(AgentException error) {
        event.reset().raw(head).raw("\"choices\":[{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"error\"}],");
        ErrorJson.write(event, error);
        send();
        sink.abortStream();
    }

    private SseWriter beginChoice(Choice choice) {
        return event.reset().raw(head).raw("\"choices\":[{\"index\":").number(choice.index()).raw(",\"text\":");
    }

    private void writeLogprobs(Choice choice) {
        event.raw(",\"logprobs\":");
        if (choice.logprobs().isPresent() && choice.logprobs().get().visible() > 0) {
            textOffsets[choice.index()] = logprobs.writeText(event, choice.logprobs().get(), choice.pieces(), textOffsets[choice.index()]);
        } else {
            event.raw("null");
        }
    }

    private void writeUsage(Usage total) {
        event.raw(",");
        total.writeUsage(event);
        event.raw(",");
        total.writeTimings(event);
    }

    private void send() {
        event.raw("}");
        sink.event(event.segment());
    }

    @Override
    public void close() {
        head.close();
        event.close();
        logprobs.close();
    }
}
