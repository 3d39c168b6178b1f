package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A text completion as one {@code text_completion} document of OpenAI's API. */
final class TextDocument implements AnswerShape {
    private final ResponseHead head;
    private final ResponseSink sink;
    private final boolean isRelayed;
    private final ContentArena memory;
    private final LogprobJson logprobs;
    private final List<Choice> choices = new ArrayList<>();
    private final List<SseWriter> texts = new ArrayList<>(); // per choice, escaped

    /**
     * Borrows {@code memory} and {@code sink}.
     *
     * @param isRelayed whether it also has to read as a chat completion: coordinators drop the text of others
     */
    TextDocument(ContentArena memory, ResponseHead head, ResponseSink sink, boolean isRelayed) {
        this.isRelayed = isRelayed;
        this.memory = memory;
        this.logprobs = new LogprobJson(memory);
        this.head = head;
        this.sink = sink;
    }

    @Override
    public boolean isStream() {
        return false;
    }

    @Override
    public void begin(Iterable<Choice> all) {
        for (Choice choice : all) {
            choices.add(choice);
            texts.add(memory.writer(512));
        }
    }

    @Override
    public void content(Choice choice, MemorySegment text) {
        texts.get(choice.index()).escaped(text, 0, text.byteSize());
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
        // the document is written at the end, whole
    }

    @Override
    public void end(Usage total) {
        try (SseWriter json = SseWriter.allocate(1024 + 2 * texts.stream().mapToLong(SseWriter::length).sum())) {
            head.write(json, isRelayed ? "chat.completion" : "text_completion");
            json.raw("\"choices\":[");
            for (Choice choice : choices) {
                json.raw(choice.index() == 0 ? "" : ",").raw("{\"text\":\"").raw(texts.get(choice.index()));
                if (isRelayed) {
                    json.raw("\",\"message\":{\"role\":\"assistant\",\"content\":\"").raw(texts.get(choice.index())).raw("\"},");
                } else {
                    json.raw("\",");
                }
                json.raw("\"index\":").number(choice.index()).raw(",\"logprobs\":");
                if (choice.logprobs().isPresent()) {
                    logprobs.writeText(json, choice.logprobs().get(), choice.pieces(), 0);
                } else {
                    json.raw("null");
                }
                json.raw(",\"finish_reason\":\"").raw(choice.finishReason().wire()).raw("\"}");
            }
            json.raw("],");
            total.write(json);
            json.raw("}");
            sink.document(json.segment());
        }
    }

    @Override
    public void fail(AgentException error) {
        throw error; // nothing has been sent
    }

    @Override
    public void close() {
        texts.forEach(SseWriter::close);
        logprobs.close();
    }
}
