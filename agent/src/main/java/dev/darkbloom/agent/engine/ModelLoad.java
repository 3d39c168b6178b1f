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
        return activeBytes(runningTokens);
    }

    /** Returns the bytes that are used while so many tokens are in running requests. */
    public long activeBytes(long tokens) {
        return weightBytes + computeBytes + kvBytes(tokens);
    }

    /** Returns the share of the KV cache that so many tokens take. */
    public long kvBytes(long tokens) {
        return kvTokens == 0 ? 0 : (long) ((double) contextBytes * Math.clamp(tokens, 0, kvTokens) / kvTokens);
    }

    /** Returns the bytes of KV cache for one token; 0 when unknown. */
    public long kvBytesPerToken() {
        return kvTokens == 0 ? 0 : contextBytes / kvTokens;
    }
}
