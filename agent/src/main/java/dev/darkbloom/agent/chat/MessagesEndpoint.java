package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.SseWriter;
import java.util.concurrent.atomic.LongAdder;

/** Answers Anthropic's Messages API: a chat request in other words, and an answer in other words. */
final class MessagesEndpoint {
    private final RequestContext context;
    private final LongAdder unknownParameters;

    /** Borrows both; {@code unknownParameters} counts members that nobody documents. */
    MessagesEndpoint(RequestContext context, LongAdder unknownParameters) {
        this.context = context;
        this.unknownParameters = unknownParameters;
    }

    /** Answers {@code /v1/messages}. */
    void create(RequestBody body) throws InterruptedException {
        boolean showsThinking = MessagesBody.showsThinking(body);
        try (SseWriter rewritten = MessagesBody.rewrite(body, true)) {
            RequestBody chat = RequestBody.read(rewritten.segment(), Parameters.CHAT, unknownParameters);
            AnswerSettings form = AnswerSettings.read(chat, context, true);
            new ChatEndpoint(context).complete(chat, form, "msg_", (memory, head, promptTokens, stopStrings) -> form.stream()
                    ? new MessagesChunks(memory, head, context, promptTokens, stopStrings, showsThinking)
                    : new MessagesDocument(memory, head, context.sink(), stopStrings, showsThinking, context.isRelayed()));
        }
    }

    /** Answers {@code /v1/messages/count_tokens}: the tokens of the prompt that {@link #create} would make of the same request. */
    void count(RequestBody body) throws InterruptedException {
        try (SseWriter rewritten = MessagesBody.rewrite(body, false); SseWriter json = SseWriter.allocate(64)) {
            int tokens = new ChatEndpoint(context).promptTokens(RequestBody.read(rewritten.segment(), Parameters.CHAT, unknownParameters));
            json.raw("{\"input_tokens\":").number(tokens).raw("}");
            context.sink().document(json.segment());
        }
    }
}
