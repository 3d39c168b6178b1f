package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.ModelRuntime.ModelFacts;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenSampler;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** A hold on a {@link LoadedModel}, and the checks that a request passes before it reaches the model's loop. */
final class EngineLease implements ModelLease {
    private final LoadedModel model;
    private final Consumer<LoadedModel> giveBack;
    private final AtomicBoolean closed = new AtomicBoolean();

    EngineLease(LoadedModel model, Consumer<LoadedModel> giveBack) {
        this.model = model;
        this.giveBack = giveBack;
    }

    @Override
    public ModelSpec spec() {
        return model.loop.spec;
    }

    @Override
    public ModelFacts facts() {
        return model.facts;
    }

    @Override
    public Tokenizer tokenizer() {
        checkOpen();
        return model.runtime.tokenizer();
    }

    @Override
    public ChatTemplate chatTemplate() {
        checkOpen();
        return model.runtime.chatTemplate();
    }

    @Override
    public int contextTokens() {
        return model.dimensions.contextTokens();
    }

    @Override
    public Generation submit(GenerationRequest request) {
        TokenSampler sampler = null;
        try {
            int most = mostTokens(request);
            sampler = model.runtime.newSampler(request.sampling(), request.grammar(), contextTokens()); // takes the grammar, also when it fails
            sampler.acceptPrompt(request.prompt().asSlice(0, (long) request.promptTokens() * Integer.BYTES));
            enter();
            var generation = new EngineGeneration(request, sampler, most, model.loop.mailbox, model.loop.mailbox.nanoTime());
            model.loop.mailbox.put(generation);
            return generation;
        } catch (Throwable t) {
            if (sampler != null) {
                sampler.close();
            } else if (request.grammar() != null) {
                request.grammar().close();
            }
            throw t;
        }
    }

    /** Returns how many tokens an answer may have, the context's room considered; throws where there is none. */
    private int mostTokens(GenerationRequest request) {
        checkOpen();
        model.loop.checkReadable(request.prompt());
        if (spec().embedding()) {
            throw refuse(ErrorCode.INVALID_REQUEST, "model " + spec().id() + " computes embeddings and writes no text");
        }
        int room = Admission.answerRoom(contextTokens(), request.promptTokens());
        if (room < 1) {
            throw refuse(ErrorCode.CONTEXT_TOO_LONG, "prompt is " + request.promptTokens() + " tokens; this model's context holds "
                    + contextTokens());
        }
        return Math.min(request.maxTokens(), room);
    }

    @Override
    public void embed(MemorySegment tokens, MemorySegment target) throws InterruptedException {
        embedAll(List.of(tokens), List.of(target));
    }

    /** Twice as many inputs as slots are with the loop: one batch is computed and the next one waits. Where others hold the places, fewer do. */
    @Override
    public void embedAll(List<MemorySegment> inputs, List<MemorySegment> targets) throws InterruptedException {
        for (int i = 0; i < inputs.size(); i++) {
            checkInput(inputs.get(i), targets.get(i));
        }
        try (var window = new EmbeddingWindow(2 * model.dimensions.slots())) {
            for (int i = 0; i < inputs.size(); i++) {
                while (window.isFull() || !window.isEmpty() && isFull()) {
                    window.finishOldest();
                }
                enter();
                var job = new EmbeddingJob(inputs.get(i), targets.get(i), model.loop.mailbox, model.loop.mailbox.nanoTime());
                model.loop.mailbox.put(job);
                window.add(job);
            }
            while (!window.isEmpty()) {
                window.finishOldest();
            }
        }
    }

    private boolean isFull() {
        return model.loop.admission.taken() >= model.loop.admission.limit();
    }

    private void checkInput(MemorySegment tokens, MemorySegment target) {
        checkOpen();
        model.loop.checkReadable(tokens);
        model.loop.checkReadable(target);
        long count = tokens.byteSize() / Integer.BYTES;
        if (count < 1 || target.byteSize() < (long) Float.BYTES * model.facts.embeddingSize()) {
            throw new IllegalArgumentException(count + " tokens into " + target.byteSize() + " bytes");
        }
        if (!spec().embedding()) {
            throw refuse(ErrorCode.EMBEDDINGS_NOT_CONFIGURED, "model " + spec().id() + " writes text and computes no embeddings");
        }
        int longest = model.dimensions.longestInput();
        if (count > longest) {
            throw refuse(ErrorCode.CONTEXT_TOO_LONG, "input is " + count + " tokens; this model embeds at most " + longest);
        }
    }

    private void enter() {
        switch (model.loop.admission.enter()) {
            case ENTERED -> { }
            case FULL -> throw refuse(ErrorCode.QUEUE_FULL, "model " + spec().id() + " has " + model.dimensions.slots()
                    + " requests running and " + (model.loop.admission.limit() - model.dimensions.slots()) + " waiting; it takes no more");
            case CLOSED -> throw refuse(model.loop.admission.closedBecause());
        }
    }

    private AgentException refuse(ErrorCode code, String message) {
        return refuse(new AgentException(code, message));
    }

    private AgentException refuse(AgentException error) {
        model.loop.counters.refused.incrementAndGet();
        return error;
    }

    private void checkOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the lease on " + spec().id() + " is closed");
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            giveBack.accept(model);
        }
    }

    @Override
    public String toString() {
        return "ModelLease[" + spec().id() + "]";
    }
}
