package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.ChatFormat;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.ModelRuntime.SamplingDefaults;
import dev.darkbloom.agent.llama.SamplerSettings;
import java.util.Optional;

/** Answers chat completions, and renders prompts without answering them. */
final class ChatEndpoint {
    private final RequestContext context;

    ChatEndpoint(RequestContext context) {
        this.context = context;
    }

    /** Makes the shape of an answer. */
    interface Shapes {
        /**
         * Returns a new shape, which the caller closes.
         *
         * @param memory where what it needs lies; borrowed
         * @param promptTokens tokens of the prompt
         * @param stopStrings how many stop strings the request has
         */
        AnswerShape open(ContentArena memory, ResponseHead head, int promptTokens, int stopStrings);
    }

    /** Answers {@code /v1/chat/completions}. */
    void complete(RequestBody body) throws InterruptedException {
        AnswerSettings form = AnswerSettings.read(body, context, true);
        complete(body, form, "chatcmpl-", (memory, head, _, _) -> form.stream()
                ? new ChatChunks(memory, head, context.sink(), form)
                : new ChatDocument(memory, head, context.sink()));
    }

    /** Answers a chat request in the shape of any API; {@code idPrefix} stands before the answer's id. */
    void complete(RequestBody body, AnswerSettings form, String idPrefix, Shapes shapes) throws InterruptedException {
        Sampling.read(body, SamplingDefaults.NONE); // refuses bad numbers before a model is loaded for them
        String model = context.modelName(body);
        try (Closer closer = new Closer()) {
            ChatRequest request = closer.add(ChatRequest.read(body));
            ModelLease lease = closer.add(context.acquireForText(model));
            request.checkRoom(lease);
            request.check(lease.tokenizer());
            Content samplerMemory = closer.add(Sampling.contentMemory(body));
            SamplerSettings sampling = Sampling.withContent(Sampling.read(body, lease.facts().sampling()), body,
                    lease.tokenizer(), samplerMemory);
            ChatFormat format = closer.add(request.apply(lease.chatTemplate(), context.thinkingByDefault(lease), context.nowSeconds()));
            PromptTokens.checkRoom(format.prompt().byteSize(), lease);
            PromptTokens prompt = closer.add(PromptTokens.of(format::tokenize, format.prompt().byteSize()));
            if (prompt.count() == 0) {
                throw RequestBody.invalid("messages", "the rendered prompt is empty");
            }
            context.sink().prepared(model, prompt.count());
            ResponseHead head = context.head(idPrefix, model);
            ContentArena memory = closer.add(new ContentArena());
            AnswerShape shape = closer.add(shapes.open(memory, head, prompt.count(), request.stops().count()));
            Answer answer = closer.add(new Answer(context.sink(), shape, context.nanoClock(), form.pingNanos(), request.requiresToolCall(),
                    request.stops().count()));
            for (int i = 0; i < form.choices(); i++) {
                Choice choice = answer.add(new Choice(memory, i, i == 0, context.ring(memory, form.topLogprobs()), lease.tokenizer().pieces(),
                        Optional.of(format), request.parsesToolCalls(), form.topLogprobs(),
                        request.stops().matcher(memory), shape));
                Grammar grammar = format.compileGrammar();
                choice.submit(lease, new GenerationRequest(context.id(), prompt.segment(), prompt.count(), form.maxTokens(),
                        sampling.withSeed(Sampling.seedOf(sampling.seed(), i)), grammar, form.topLogprobs(), context.deadlineNanos(),
                        context.origin(), form.reusesCache(), choice.ring()));
            }
            answer.run();
        }
    }

    /** Returns how many tokens a chat request's prompt has. */
    int promptTokens(RequestBody body) throws InterruptedException {
        try (ChatRequest request = ChatRequest.read(body);
                ModelLease lease = context.acquireForText(context.modelName(body));
                ChatFormat format = request.apply(lease.chatTemplate(), context.thinkingByDefault(lease), context.nowSeconds());
                PromptTokens prompt = PromptTokens.of(format::tokenize, format.prompt().byteSize())) {
            return prompt.count();
        }
    }

    /** Answers {@code /apply-template}. */
    void render(RequestBody body) throws InterruptedException {
        try (ChatRequest request = ChatRequest.read(body);
                ModelLease lease = context.acquire(context.modelName(body));
                ChatFormat format = request.apply(lease.chatTemplate(), context.thinkingByDefault(lease), context.nowSeconds());
                SseWriter json = SseWriter.allocate(64 + format.prompt().byteSize())) {
            json.raw("{\"prompt\":").text(format.prompt()).raw("}");
            context.sink().document(json.segment());
        }
    }
}
