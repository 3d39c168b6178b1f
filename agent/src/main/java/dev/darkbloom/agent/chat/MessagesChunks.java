package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A streamed answer: the typed events of Anthropic's Messages API. */
final class MessagesChunks extends MessagesShape {
    private final ResponseHead head;
    private final ResponseSink sink;
    private final String requestId;
    private final int promptTokens;
    private final SseWriter event;

    /**
     * Borrows {@code memory} and the context's sink; the rest as in {@link MessagesShape}.
     *
     * @param promptTokens tokens of the prompt, told when the stream begins
     */
    MessagesChunks(ContentArena memory, ResponseHead head, RequestContext context, int promptTokens, int stopStrings, boolean showsThinking) {
        super(memory, stopStrings, showsThinking);
        this.head = head;
        this.sink = context.sink();
        this.requestId = context.id().value();
        this.promptTokens = promptTokens;
        this.event = memory.writer(1024);
    }

    @Override
    public boolean isStream() {
        return true;
    }

    /** What the cache held is known once the prompt is read, which is so unless this begins with a ping; the last event says it again. */
    @Override
    public void begin(Iterable<Choice> choices) {
        int cached = 0;
        for (Choice choice : choices) {
            cached = choice.generation().progress().cachedTokens();
        }
        start("message_start").raw(",\"message\":");
        writeHead(event, head);
        event.raw("],\"stop_reason\":null,\"stop_sequence\":null,");
        writeUsage(event, promptTokens, cached, 0);
        event.raw("}");
        send();
    }

    @Override
    void beginBlock(Block kind, int index) {
        start("content_block_start", index).raw(kind == Block.TEXT
                ? ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}"
                : ",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
        send();
    }

    @Override
    void beginToolUse(int index, MemorySegment id, MemorySegment name) {
        start("content_block_start", index).raw(",\"content_block\":{\"type\":\"tool_use\",\"id\":").text(id).raw(",\"name\":").text(name)
                .raw(",\"input\":{}}");
        send();
    }

    @Override
    void goOn(Block kind, int index, MemorySegment text) {
        start("content_block_delta", index).raw(switch (kind) {
            case THINKING -> ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":";
            case TEXT -> ",\"delta\":{\"type\":\"text_delta\",\"text\":";
            case TOOL_USE -> ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":";
            case NONE -> throw new IllegalStateException("no block is open");
        }).text(text).raw("}");
        send();
    }

    @Override
    void endBlock(Block kind, int index) {
        start("content_block_stop", index);
        send();
    }

    @Override
    public void finished(Choice choice, Optional<Usage> total) {
        endOpenBlock();
        Usage usage = total.orElseThrow(); // this API has one answer to a request
        start("message_delta").raw(",\"delta\":{");
        writeStop(event, choice);
        event.raw("}");
        choice.writeWarning(event);
        event.raw(",");
        writeUsage(event, usage.promptTokens(), usage.cachedTokens(), usage.completionTokens());
        send();
    }

    @Override
    public void end(Usage total) {
        start("message_stop");
        send();
        sink.endTypedStream();
    }

    @Override
    public boolean ping() {
        start("ping");
        send();
        return true;
    }

    @Override
    public void fail(AgentException error) {
        start("error").raw(",");
        ErrorJson.writeMessages(event, error);
        event.raw(",\"request_id\":").setting(requestId);
        send();
        sink.abortStream();
    }

    /** Begins an event; its other members come next. */
    private SseWriter start(String type) {
        return event.reset().raw("event: ").raw(type).raw("\ndata: {\"type\":\"").raw(type).raw("\"");
    }

    private SseWriter start(String type, int index) {
        return start(type).raw(",\"index\":").number(index);
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
