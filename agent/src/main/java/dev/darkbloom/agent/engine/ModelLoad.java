package dev.darkbloom.agent.engine;

/**
 * What a model holds and has promised at one moment, for those who decide where the next request goes.
 *
 * @param runningTokens prompt and answer so far of the requests in slots; a prompt counts whole from its start
 * @param promisedTokens most tokens that they may still produce
 * @param kvTokens tokens that its KV cache has room for, all slots together
 * @param weightBytes tensors in memory
 * @param contextBytes KV cache and recurrent state, allocated whole at load
 * @param computeBytes scratch buffers
 */
public record ModelLoad(long runningTokens, long promisedTokens, long kvTokens, long weightBytes, long contextBytes, long computeBytes) {
    /** Of a model that is not in memory. */
    public static final ModelLoad NONE = new ModelLoad(0, 0, 0, 0, 0, 0);

    /** Returns the bytes that running requests really use: weights, buffers, and their share of the KV cache. */
    public long activeBytes() {
        long used = kvTokens == 0 ? 0 : (long) ((double) contextBytes * Math.min(runningTokens, kvTokens) / kvTokens);
        return weightBytes + computeBytes + used;
    }

    /** Returns the bytes of KV cache for one token; 0 when unknown. */
    public long kvBytesPerToken() {
        return kvTokens == 0 ? 0 : contextBytes / kvTokens;
    }
}
