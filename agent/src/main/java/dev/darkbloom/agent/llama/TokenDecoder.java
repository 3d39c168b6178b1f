package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;

/**
 * One context: KV cache, batch and logits, driven by the one thread that opened it.
 *
 * <p>A step is {@link #clearBatch}, some {@link #add}, {@link #decode}, then {@link #sample} on each row that asked for logits. None of
 * these allocates, on the heap or off it, once warm. {@link LlamaContext} is the real one.
 */
public interface TokenDecoder extends AutoCloseable {
    /** Code of {@link #decode}: done. */
    int DECODED = 0;
    /** Code of {@link #decode}: no room in the KV cache; memory is as before the call. */
    int NO_KV_ROOM = 1;
    /** Code of {@link #decode}: the abort callback said stop; processed ubatches stay in memory. */
    int ABORTED = 2;

    /** Returns the tokens one sequence may hold. */
    int contextTokensPerSequence();

    /** Returns the sequences the context has room for; sequence ids run from 0. */
    int sequences();

    /** Returns the most tokens one {@link #decode} takes. */
    int batchTokens();

    /** Returns the most tokens the backend computes at once. */
    int ubatchTokens();

    ModelRuntime.MemoryKind memoryKind();

    /** Returns the most threads that compute. */
    int threads();

    /** Has so many threads compute from the next {@link #decode} on, 1 to {@link #threads}; the others sleep. */
    void computeWith(int threads);

    /**
     * Has other threads compute from the next {@link #decode} on instead of those that there are. Starts and ends threads, so this is
     * nothing for every step.
     *
     * @param count what {@link #threads} returns afterwards
     * @param poll as in {@link ComputeSettings}
     * @throws dev.darkbloom.agent.base.AgentException when they cannot be started, mostly {@code OUT_OF_MEMORY}; those before go on then
     */
    void replaceThreads(int count, int poll);

    /** Returns the processor time that the calling thread has used, in nanoseconds; 0 where the system does not tell. */
    long cpuNanos();

    /** Empties the batch. */
    void clearBatch();

    /** Returns the tokens in the batch. */
    int batchSize();

    /**
     * Adds one token to the batch.
     *
     * @param position its place in the sequence, from 0
     * @param wantLogits whether a token will be sampled after it
     * @return the row by which {@link #sample} and {@link #logprobs} name it
     * @throws IllegalStateException when the batch is full or an argument is out of range
     */
    int add(int token, int position, int sequence, boolean wantLogits);

    /**
     * Runs the batch.
     *
     * @return {@link #DECODED}, {@link #NO_KV_ROOM}, {@link #ABORTED}, or a negative number: a fatal error after which the context has to
     *     be closed
     */
    int decode();

    /**
     * Picks the next token from a row's logits and accepts it in {@code sampler}.
     *
     * @return the token, or -1 when the sampler's grammar allows none
     */
    int sample(TokenSampler sampler, int row);

    /**
     * Writes log-probabilities of a row: at {@code offset} a {@code float32} for {@code token}, then {@code top} pairs {@code (int32,
     * float32)}, most likely first. The layout is that of a {@link dev.darkbloom.agent.content.TokenRing} entry from its fourth byte on.
     */
    void logprobs(int row, int token, int top, MemorySegment target, long offset);

    /**
     * Removes a sequence's tokens from {@code position} on; 0 removes all and always succeeds.
     *
     * @return whether the memory could do it; false on memories that cannot be rolled back, which are unchanged then
     */
    boolean removeFrom(int sequence, int position);

    /** Makes {@code target}, which is empty, hold what {@code source} holds. See design section 4 for what is exact when. */
    void copySequence(int source, int target);

    /** Returns the smallest position that a sequence still holds, or -1 when it is empty ({@code llama_memory_seq_pos_min}). */
    int firstPosition(int sequence);

    /** Returns the largest position that a sequence holds, or -1 when it is empty. */
    int lastPosition(int sequence);

    /**
     * Copies the pooled embedding of a sequence after a {@link #decode} of an embedding context.
     *
     * @param target {@code float32[embeddingSize]}
     */
    void copyEmbedding(int sequence, MemorySegment target);

    @Override
    void close();
}
