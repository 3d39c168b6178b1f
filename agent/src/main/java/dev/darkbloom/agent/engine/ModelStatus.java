package dev.darkbloom.agent.engine;

import java.util.Optional;

/**
 * A model's state and counters at one moment; read by {@code status}, {@code /metrics} and capacity reports.
 *
 * @param id the model's name towards clients
 * @param loadProgress 0 to 1 while loading, otherwise 0 or 1
 * @param lastError why the last load failed, or why the context was rebuilt
 * @param slots places for requests
 * @param busySlots slots with a request
 * @param waiting requests in the queue
 * @param queueLimit most requests that may wait
 * @param contextTokens tokens one slot holds
 * @param usedTokens tokens in memory, idle prefixes included
 * @param promptTokens prompt tokens computed since load
 * @param cachedTokens prompt tokens reused since load
 * @param generatedTokens tokens produced since load
 * @param steps decode calls since load
 * @param finished requests that ended well since load
 * @param brief those of them that the model itself ended after at most one token: some models and templates fail that way
 * @param failed requests that failed since load
 * @param cancelled requests that were cancelled since load
 * @param refused requests turned away since load
 * @param prefillTokensPerSecond observed lately; 0 before the first
 * @param decodeTokensPerSecond observed lately, all slots together; 0 before the first
 * @param reservedBytes what the memory ledger holds for it
 * @param load what runs in it and what it holds
 * @param health how it fares
 */
public record ModelStatus(
        String id,
        ModelState state,
        double loadProgress,
        Optional<String> lastError,
        int slots,
        int busySlots,
        int waiting,
        int queueLimit,
        int contextTokens,
        long usedTokens,
        long promptTokens,
        long cachedTokens,
        long generatedTokens,
        long steps,
        long finished,
        long brief,
        long failed,
        long cancelled,
        long refused,
        double prefillTokensPerSecond,
        double decodeTokensPerSecond,
        long reservedBytes,
        ModelLoad load,
        ModelHealth health) {
    /** As the other, of a model of whose health nothing is known. */
    public ModelStatus(String id, ModelState state, double loadProgress, Optional<String> lastError, int slots, int busySlots, int waiting,
            int queueLimit, int contextTokens, long usedTokens, long promptTokens, long cachedTokens, long generatedTokens, long steps, long finished,
            long brief, long failed, long cancelled, long refused, double prefillTokensPerSecond, double decodeTokensPerSecond, long reservedBytes,
            ModelLoad load) {
        this(id, state, loadProgress, lastError, slots, busySlots, waiting, queueLimit, contextTokens, usedTokens, promptTokens, cachedTokens,
                generatedTokens, steps, finished, brief, failed, cancelled, refused, prefillTokensPerSecond, decodeTokensPerSecond, reservedBytes, load,
                ModelHealth.NONE);
    }

    /** Returns whether one request more would be refused: places in slots and in the queue are counted together. */
    public boolean isFull() {
        return Admission.isFull(busySlots + waiting, slots, queueLimit);
    }

    /** Returns whether such a request would find room in the KV cache now; if not, it waits for those that run. */
    public boolean hasKvRoom(long newTokens, long answerTokens) {
        boolean isAmple = load.kvTokens() >= (long) slots * contextTokens; // room for whatever comes
        return isAmple || KvRoom.hasRoomFor(newTokens, answerTokens, load.runningTokens(), load.promisedTokens(), busySlots, load.kvTokens());
    }

    /** Returns the tokens that an answer to such a prompt could have; below one it is refused. */
    public int answerRoom(int promptTokens) {
        return Admission.answerRoom(contextTokens, promptTokens);
    }
}
