package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** An answer as one {@code message} of Anthropic's Messages API. */
final class MessagesDocument extends MessagesShape {
    private final ResponseHead head;
    private final ResponseSink sink;
    private final boolean isRelayed;
    private final SseWriter content;
    private final Content input; // of the tool use that is open
    private Choice finished;

    /**
     * Borrows {@code memory} and {@code sink}; the rest as in {@link MessagesShape}.
     *
     * @param isRelayed whether it also has to say that it is a response: coordinators take every other document apart
     */
    MessagesDocument(ContentArena memory, ResponseHead head, ResponseSink sink, int stopStrings, boolean showsThinking, boolean isRelayed) {
        super(memory, stopStrings, showsThinking);
        this.isRelayed = isRelayed;
        this.head = head;
        this.sink = sink;
        content = memory.writer(512);
        input = memory.content(16);
    }

    @Override
    public boolean isStream() {
        return false;
    }

    @Override
    public void begin(Iterable<Choice> choices) {
        // the document is written at the end, whole
    }

    @Override
    void beginBlock(Block kind, int index) {
        content.raw(index == 0 ? "" : ",").raw(kind == Block.TEXT ? "{\"type\":\"text\",\"text\":\"" : "{\"type\":\"thinking\",\"thinking\":\"");
    }

    @Override
    void beginToolUse(int index, MemorySegment id, MemorySegment name) {
        content.raw(index == 0 ? "" : ",").raw("{\"type\":\"tool_use\",\"id\":").text(id).raw(",\"name\":").text(name).raw(",\"input\":");
    }

    @Override
    void goOn(Block kind, int index, MemorySegment text) {
        if (kind == Block.TOOL_USE) {
            input.append(text);
        } else {
            content.escaped(text, 0, text.byteSize());
        }
    }

    @Override
    void endBlock(Block kind, int index) {
        switch (kind) {
            case THINKING -> content.raw("\",\"signature\":\"\"}");
            case TEXT -> content.raw("\"}");
            case TOOL_USE -> {
                if (isObject(input)) {
                    content.raw(input.segment()).raw("}");
                } else {
                    content.raw("{}}"); // cut off: a part of an object is none, and the reason why the answer ended says so
                }
                input.clear();
            }
            case NONE -> throw new IllegalStateException("no block is open");
        }
    }

    private static boolean isObject(Content text) {
        try {
            JsonScanner json = JsonScanner.of(text.segment());
            return json.kind(json.root()) == JsonScanner.Kind.OBJECT;
        } catch (AgentException _) {
            return false;
        }
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        finished = choice;
        endOpenBlock();
    }

    @Override
    public void end(Usage total) {
        try (SseWriter json = SseWriter.allocate(1024 + content.length())) {
            writeHead(json, head);
            json.raw(content).raw("],");
            writeStop(json, finished);
            finished.writeWarning(json);
            json.raw(",");
            writeUsage(json, total.promptTokens(), total.cachedTokens(), total.completionTokens());
            json.raw(isRelayed ? ",\"object\":\"response\"}" : "}");
            sink.document(json.segment());
        }
    }

    @Override
    public void fail(AgentException error) {
        throw error; // nothing has been sent
    }

    @Override
    public void close() {
        super.close();
        content.close();
        input.close();
    }
}
