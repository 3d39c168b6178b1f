package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A chat completion as one {@code chat.completion} document of OpenAI's API. */
final class ChatDocument implements AnswerShape {
    private final ResponseHead head;
    private final ResponseSink sink;
    private final ContentArena memory;
    private final LogprobJson logprobs;
    private final List<Message> messages = new ArrayList<>();

    /** Borrows {@code memory} and {@code sink}. */
    ChatDocument(ContentArena memory, ResponseHead head, ResponseSink sink) {
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
    public void begin(Iterable<Choice> choices) {
        for (Choice choice : choices) {
            messages.add(new Message(choice, memory));
        }
    }

    @Override
    public void reasoning(Choice choice, MemorySegment text) {
        Message message = messages.get(choice.index());
        message.reasoning.escaped(text, 0, text.byteSize());
    }

    @Override
    public void content(Choice choice, MemorySegment text) {
        Message message = messages.get(choice.index());
        message.content.escaped(text, 0, text.byteSize());
    }

    @Override
    public void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        Message message = messages.get(choice.index());
        message.tools.raw(message.calls == 0 ? "" : "\"}},");
        message.tools.raw("{\"id\":").text(id).raw(",\"type\":\"function\",\"function\":{\"name\":").text(name).raw(",\"arguments\":\"");
        message.calls++;
    }

    @Override
    public void toolArguments(Choice choice, int index, MemorySegment text) {
        messages.get(choice.index()).tools.escaped(text, 0, text.byteSize());
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        // the document is written at the end, whole
    }

    @Override
    public void end(Usage total) {
        long size = messages.stream().mapToLong(message -> message.content.length() + message.reasoning.length() + message.tools.length()).sum();
        try (SseWriter json = SseWriter.allocate(1024 + size)) {
            head.write(json, "chat.completion");
            json.raw("\"choices\":[");
            for (Message message : messages) {
                json.raw(message.choice.index() == 0 ? "" : ",");
                message.write(json, logprobs);
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
        messages.forEach(Message::close);
        logprobs.close();
    }

    /** One choice's message, already escaped. */
    private static final class Message {
        private final Choice choice;
        private final SseWriter content;
        private final SseWriter reasoning;
        private final SseWriter tools;
        private int calls;

        private Message(Choice choice, ContentArena memory) {
            this.choice = choice;
            content = memory.writer(512);
            reasoning = memory.writer(16);
            tools = memory.writer(16);
        }

        private void write(SseWriter json, LogprobJson logprobs) {
            json.raw("{\"index\":").number(choice.index()).raw(",\"message\":{\"role\":\"assistant\",\"content\":");
            if (content.length() == 0 && calls > 0) {
                json.raw("null");
            } else {
                json.raw("\"").raw(content).raw("\"");
            }
            if (reasoning.length() > 0) {
                json.raw(",\"reasoning_content\":\"").raw(reasoning).raw("\"");
            }
            if (calls > 0) {
                json.raw(",\"tool_calls\":[").raw(tools).raw("\"}}]");
            }
            json.raw("},\"logprobs\":");
            if (choice.logprobs().isPresent()) {
                logprobs.writeChat(json, choice.logprobs().get(), choice.pieces());
            } else {
                json.raw("null");
            }
            json.raw(",\"finish_reason\":\"").raw(choice.finishReason().wire()).raw("\"");
            choice.writeWarning(json);
            json.raw("}");
        }

        private void close() {
            content.close();
            reasoning.close();
            tools.close();
        }
    }
}
