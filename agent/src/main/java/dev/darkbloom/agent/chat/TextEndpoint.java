package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.ModelRuntime.SamplingDefaults;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.Tokenizer;
import java.util.Optional;

/** Answers {@code /v1/completions}: prompts that are continued as they are, without a chat template. */
final class TextEndpoint {
    private final RequestContext context;

    TextEndpoint(RequestContext context) {
        this.context = context;
    }

    void complete(RequestBody body) throws InterruptedException {
        AnswerSettings form = AnswerSettings.read(body, context, false);
        Sampling.read(body, SamplingDefaults.NONE); // refuses bad numbers before a model is loaded for them
        boolean echo = checkedEcho(body, form);
        checkBestOf(body, form);
        checkPrompts(body);
        String model = context.modelName(body);
        try (Closer closer = new Closer()) {
            Constraint constraint = closer.add(Constraint.read(body));
            StopStrings stops = closer.add(StopStrings.read(body));
            ModelLease lease = closer.add(context.acquireForText(model));
            Tokenizer tokenizer = lease.tokenizer();
            constraint.check(tokenizer);
            Content samplerMemory = closer.add(Sampling.contentMemory(body));
            SamplerSettings sampling = Sampling.withContent(Sampling.read(body, lease.facts().sampling()), body,
                    tokenizer, samplerMemory);
            int most = Math.max(1, context.settings().maxChoices() / form.choices());
            TextPrompts prompts = closer.add(TextPrompts.read(body, "prompt", tokenizer, most, echo,
                    bytes -> PromptTokens.checkRoom(bytes, lease)));
            context.sink().prepared(model, prompts.all().stream().mapToInt(PromptTokens::count).max().orElse(0));
            int choices = prompts.all().size() * form.choices();
            ResponseHead head = context.head("cmpl-", model);
            ContentArena memory = closer.add(new ContentArena());
            AnswerShape shape = closer.add(form.stream()
                    ? new TextChunks(memory, head, context.sink(), form, choices)
                    : new TextDocument(memory, head, context.sink(), context.isRelayed()));
            Answer answer = closer.add(new Answer(context.sink(), shape, context.nanoClock(), form.pingNanos(), false, stops.count()));
            for (int i = 0; i < choices; i++) {
                int prompt = i / form.choices();
                int number = i % form.choices();
                PromptTokens tokens = prompts.all().get(prompt);
                Choice choice = answer.add(new Choice(memory, i, number == 0, context.ring(memory, form.topLogprobs()), tokenizer.pieces(),
                        Optional.empty(), false, form.topLogprobs(), stops.matcher(memory), shape));
                if (echo) {
                    choice.echoFirst(prompts.text(prompt));
                }
                choice.submit(lease, new GenerationRequest(context.id(), tokens.segment(), tokens.count(), form.maxTokens(),
                        sampling.withSeed(Sampling.seedOf(sampling.seed(), number)), grammar(constraint, tokenizer), form.topLogprobs(),
                        context.deadlineNanos(), context.origin(), form.reusesCache(), choice.ring()));
            }
            answer.run();
        }
    }

    private static Grammar grammar(Constraint constraint, Tokenizer tokenizer) {
        if (constraint.schema().byteSize() > 0) {
            return tokenizer.compileSchema(constraint.schema());
        }
        return constraint.grammar().byteSize() > 0 ? tokenizer.compileGrammar(constraint.grammar()) : null;
    }

    private static boolean checkedEcho(RequestBody body, AnswerSettings form) {
        boolean echo = body.flag("echo", false);
        if (echo && form.topLogprobs() >= 0) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "echo", "echo together with logprobs is not supported");
        }
        return echo;
    }

    /** A coordinator settles one answer, so several prompts are as {@code n} above 1. */
    private void checkPrompts(RequestBody body) {
        JsonScanner json = body.json();
        Slice prompt = body.value("prompt");
        if (!context.isRelayed() || prompt.isEmpty() || json.kind(prompt) != Kind.ARRAY || json.count(prompt) < 2) {
            return;
        }
        JsonScanner.Cursor elements = json.elements(prompt);
        if (elements.next() && json.kind(elements.value()) != Kind.NUMBER) { // an array of tokens is one prompt
            throw RequestBody.invalid("prompt", "several prompts are not answered through a coordinator");
        }
    }

    /** Several candidates of which the best is kept would need as many answers; asking for no more than are returned is fine. */
    private static void checkBestOf(RequestBody body, AnswerSettings form) {
        if (body.integer("best_of", 0, 128, 1) > form.choices()) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "best_of", "best_of above n is not supported");
        }
    }
}
