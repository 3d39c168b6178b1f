package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.llama.TokenDecoder;

/** What a model's loop does with its jobs: writes answers, or computes embeddings. Every method is called by the loop's thread. */
@Confined("engine-<model>")
sealed interface Workload extends AutoCloseable permits Scheduler, Embedder {
    /** Takes a new job, which waits until {@link #step} has a place for it. */
    void accept(Job job);

    /** Ends the jobs that were cancelled or whose deadline has passed. */
    void sweep(long nowNanos);

    /** Returns the earliest deadline of all jobs; {@link Long#MAX_VALUE} for none. */
    long nextDeadlineNanos();

    /**
     * Plans one batch, runs it, hands out what came of it.
     *
     * @return false when there was nothing to run
     * @throws AgentException {@code DECODE_FATAL} when the context is lost; its jobs have not ended yet
     */
    boolean step(long nowNanos);

    /** Returns whether {@link #step} would find something to run. */
    boolean isRunnable();

    /** Ends the jobs that are in slots; those that wait stay. */
    void endRunning(AgentException error);

    /** Ends every job. */
    void endAll(AgentException error);

    /** Goes on with another context after {@link #endRunning}; the old one is closed already. */
    void use(TokenDecoder fresh);

    /** Frees what the workload holds outside the heap, zeroed. Every job has ended. */
    @Override
    void close();
}
