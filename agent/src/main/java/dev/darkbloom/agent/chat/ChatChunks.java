package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A streamed chat completion: {@code chat.completion.chunk} events of OpenAI's API. */
final class ChatChunks implements AnswerShape {
    private final ResponseSink sink;
    private final boolean includeUsage;
    private final SseWriter head = SseWriter.allocate(256);
    private final SseWriter event = SseWriter.allocate(1024);
    private final LogprobJson logprobs = new LogprobJson();

    /** Borrows {@code sink}; {@code includeUsage} asks for a last event with usage and no choices. */
    ChatChunks(ResponseHead answer, ResponseSink sink, boolean includeUsage) {
        this.sink = sink;
        this.includeUsage = includeUsage;
        head.beginData();
        answer.write(head, "chat.completion.chunk");
    }

    @Override
    public boolean isStream() {
        return true;
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        for (Choice choice : choices) {
            beginChoice(choice).raw("\"role\":\"assistant\",\"content\":\"\"");
            endChoice(choice, "null");
            send();
        }
    }

    @Override
    public void reasoning(Choice choice, MemorySegment text) {
        beginChoice(choice).raw("\"reasoning_content\":").text(text);
        endChoice(choice, "null");
        send();
    }

    @Override
    public void content(Choice choice, MemorySegment text) {
        beginChoice(choice).raw("\"content\":").text(text);
        endChoice(choice, "null");
        send();
    }

    @Override
    public void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        beginChoice(choice).raw("\"tool_calls\":[{\"index\":").number(index)
                .raw(",\"id\":").text(id)
                .raw(",\"type\":\"function\",\"function\":{\"name\":").text(name)
                .raw(",\"arguments\":\"\"}}]");
        endChoice(choice, "null");
        send();
    }

    @Override
    public void toolArguments(Choice choice, int index, MemorySegment text) {
        beginChoice(choice).raw("\"tool_calls\":[{\"index\":").number(index).raw(",\"function\":{\"arguments\":").text(text).raw("}}]");
        endChoice(choice, "null");
        send();
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        beginChoice(choice);
        endChoice(choice, choice.finishReason());
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
        event.reset().raw(head).raw("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}],");
        ErrorJson.write(event, error);
        send();
        sink.abortStream();
    }

    private SseWriter beginChoice(Choice choice) {
        return event.reset().raw(head).raw("\"choices\":[{\"index\":").number(choice.index()).raw(",\"delta\":{");
    }

    private void endChoice(Choice choice, FinishReason reason) {
        endDelta(choice);
        event.raw(",\"finish_reason\":\"").raw(reason.wire()).raw("\"}]");
    }

    private void endChoice(Choice choice, String literal) {
        endDelta(choice);
        event.raw(",\"finish_reason\":").raw(literal).raw("}]");
    }

    private void endDelta(Choice choice) {
        event.raw("}");
        if (choice.logprobs().isPresent() && choice.logprobs().get().visible() > 0) {
            event.raw(",\"logprobs\":");
            logprobs.writeChat(event, choice.logprobs().get(), choice.pieces());
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
