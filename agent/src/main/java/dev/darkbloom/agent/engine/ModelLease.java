package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.ModelRuntime.ModelFacts;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A hold on a loaded model: while one is open the model is not unloaded. Taken by {@code Engine.acquire}, closed when the request ends.
 * Any thread.
 */
public interface ModelLease extends AutoCloseable {
    ModelSpec spec();

    ModelFacts facts();

    Tokenizer tokenizer();

    ChatTemplate chatTemplate();

    /** Returns the tokens a prompt and its answer may have together. */
    int contextTokens();

    /**
     * Puts a request in the queue.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code CONTEXT_TOO_LONG} with both numbers, {@code QUEUE_FULL}, {@code DRAINING},
     *     {@code OUT_OF_MEMORY}
     */
    Generation submit(GenerationRequest request);

    /**
     * Computes the pooled embedding of one input and waits for it.
     *
     * @param tokens {@code int32[n]}, at least 1, from a shared arena, borrowed
     * @param target {@code float32[embeddingSize]}, from a shared arena; the result is not normalised
     * @throws dev.darkbloom.agent.base.AgentException {@code EMBEDDINGS_NOT_CONFIGURED} on a text model, {@code CONTEXT_TOO_LONG}, {@code
     *     QUEUE_FULL}, {@code DRAINING}
     * @throws InterruptedException when the calling thread is interrupted; {@code target} may still be written until the call returns
     */
    void embed(MemorySegment tokens, MemorySegment target) throws InterruptedException;

    /**
     * Computes several inputs and waits for all. They share batches, and take no more places in the queue than keep the model busy.
     *
     * @param inputs each as for {@link #embed}
     * @param targets as many, in the same order
     * @throws dev.darkbloom.agent.base.AgentException as {@link #embed}; then what the targets hold is not said
     */
    default void embedAll(List<MemorySegment> inputs, List<MemorySegment> targets) throws InterruptedException {
        for (int i = 0; i < inputs.size(); i++) {
            embed(inputs.get(i), targets.get(i));
        }
    }

    @Override
    void close();
}
