package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import java.util.Optional;

/**
 * One answer being produced: what the request's thread holds on to.
 *
 * <p>Tokens are read from the request's ring by the same thread that calls {@link #await}. Every generation ends: finished, failed or
 * cancelled, and after {@link #isFinished} the engine touches neither the ring nor the request's memory.
 */
public interface Generation {
    /**
     * Waits until tokens are in the ring, the generation is finished, prefill has moved, or {@code nanos} have passed.
     *
     * <p>This is also how the engine learns that a full ring has room again: a loop that sleeps because its readers are behind goes on when
     * one of them, having taken something out, calls this, with 0 if it has nothing to wait for.
     *
     * @return whether tokens wait or the generation is finished
     * @throws InterruptedException when the calling thread is interrupted
     */
    boolean await(long nanos) throws InterruptedException;

    /**
     * Has {@code action} run whenever tokens were put into the ring and when the generation has finished, at once if that is so already. It
     * runs on the engine's thread, once per step at most, and must neither wait, nor throw, nor allocate. Called once, instead of {@link
     * #await}, by whoever reads the ring on another thread than that of the request.
     */
    void onNews(Runnable action);

    /** Says that tokens were taken out of the ring: a loop that sleeps because its readers are behind goes on. {@link #await} says so, too. */
    void taken();

    /** Returns whether nothing more will come. Tokens may still wait in the ring. */
    boolean isFinished();

    /** Returns how it ended; empty until {@link #isFinished}. */
    Optional<Outcome> outcome();

    /** Asks the engine to stop. Takes effect within one step, may be called at any time, from any thread and twice. */
    void cancel();

    /** Returns counts and times so far; exact once finished. */
    Progress progress();

    /** How a generation ended. */
    sealed interface Outcome {
        /** The model ended its answer, or the caller's limit or the context's end was reached. */
        record Finished(FinishReason reason) implements Outcome {}

        /** It failed; the error says with whom the fault lies. */
        record Failed(AgentException error) implements Outcome {}
    }

    /** Why an answer ended without failing. */
    enum FinishReason {
        /** An end-of-generation token. */
        STOP,
        /** {@code maxTokens}, or the context is full. */
        LENGTH,
        /** {@link Generation#cancel}. */
        CANCELLED
    }

    /**
     * Counts and times of one generation.
     *
     * @param promptTokens tokens of the prompt
     * @param cachedTokens those of them that were taken from a slot's memory
     * @param prefilledTokens prompt tokens that are in memory by now, cached ones included
     * @param generatedTokens tokens produced, the end-of-generation token not counted
     * @param queuedNanos from submit to a slot
     * @param prefillNanos from the slot to the first sampled token
     * @param decodeNanos from the first sampled token to the last
     */
    record Progress(
            int promptTokens,
            int cachedTokens,
            int prefilledTokens,
            int generatedTokens,
            long queuedNanos,
            long prefillNanos,
            long decodeNanos) {}
}
