package dev.darkbloom.agent.models;

import dev.darkbloom.agent.models.ModelDims.Accuracy;
import dev.darkbloom.agent.models.ModelDims.Layer;

/**
 * What a model takes in memory, worked out from its header alone. llama.cpp's own dry run, where native code is at hand, knows more.
 *
 * @param weightBytes all tensors
 * @param kvBytes K and V caches of all sequences
 * @param stateBytes recurrent state of all sequences
 * @param accuracy of {@code kvBytes} and {@code stateBytes}; compute buffers are in none of these
 */
public record MemoryEstimate(long weightBytes, long kvBytes, long stateBytes, Accuracy accuracy) {
    /** llama.cpp rounds a context up to this many tokens ({@code llama-context.cpp}), and a window's cache too. */
    private static final int CELLS_PADDING = 256;

    /** {@code n_ubatch} by default; a window's cache has room for one more ubatch. */
    private static final int DEFAULT_UBATCH_TOKENS = 512;

    /** Returns the bytes of everything counted. */
    public long totalBytes() {
        return weightBytes + kvBytes + stateBytes;
    }

    /**
     * Returns the memory of {@code sequences} sequences with a context each, one stream per sequence, in {@code f16}.
     *
     * @param contextTokens context of one sequence; positive
     * @param sequences positive
     */
    public static MemoryEstimate of(GgufModel model, int contextTokens, int sequences) {
        return of(model, contextTokens, sequences, CacheType.F16, CacheType.F16);
    }

    /** As {@link #of(GgufModel, int, int)}, with other cache types. Numbers beyond all reason give {@link Accuracy#UNKNOWN}. */
    public static MemoryEstimate of(GgufModel model, int contextTokens, int sequences, CacheType key, CacheType value) {
        ModelDims dims = ModelDims.of(model);
        try {
            long kvBytes = kvBytes(dims, contextTokens, sequences, key, value);
            long stateBytes = stateBytes(dims, sequences);
            Math.addExact(model.tensorBytes(), Math.addExact(kvBytes, stateBytes));
            return new MemoryEstimate(model.tensorBytes(), kvBytes, stateBytes, dims.accuracy());
        } catch (ArithmeticException e) {
            return new MemoryEstimate(model.tensorBytes(), 0, 0, Accuracy.UNKNOWN);
        }
    }

    /**
     * Returns the KV cache bytes that {@code sequences} full sequences need, one stream each.
     *
     * <p>Counts {@code keyElements + valueElements} per token and layer; a layer with a window keeps the window and one ubatch of 512
     * tokens. Where layers differ in the width of V, the widest counts for all, which llama.cpp needs without flash attention: an upper
     * bound then. The cache types follow {@code type_k} and {@code type_v} in {@code llama.h}.
     *
     * @param dims model dimensions from the GGUF header
     * @param contextTokens context of one sequence; positive
     * @param sequences positive
     * @param key element type of the K cache; quantized types count whole blocks
     * @param value element type of the V cache
     * @return bytes, the padding of the context to 256 tokens included
     * @throws ArithmeticException if the size does not fit in a {@code long}
     */
    public static long kvBytes(ModelDims dims, int contextTokens, int sequences, CacheType key, CacheType value) {
        if (contextTokens < 1 || sequences < 1) {
            throw new IllegalArgumentException("context of " + contextTokens + " tokens, " + sequences + " sequences");
        }
        int widestValue = dims.layers().stream().mapToInt(Layer::valueElements).max().orElse(0);
        long context = padded(contextTokens);
        long bytes = 0;
        for (Layer layer : dims.layers()) {
            long cells = layer.windowTokens() == 0
                    ? context
                    : padded(Math.min(context, (long) layer.windowTokens() + DEFAULT_UBATCH_TOKENS));
            long rowBytes = key.rowBytes(layer.keyElements()) + value.rowBytes(layer.valueElements() == 0 ? 0 : widestValue);
            bytes = Math.addExact(bytes, Math.multiplyExact(Math.multiplyExact(cells, sequences), rowBytes));
        }
        return bytes;
    }

    /** Returns the bytes of recurrent state, which is always {@code f32}, of {@code sequences} sequences. */
    public static long stateBytes(ModelDims dims, int sequences) {
        long elements = 0;
        for (Layer layer : dims.layers()) {
            elements = Math.addExact(elements, layer.stateElements());
        }
        return Math.multiplyExact(Math.multiplyExact(elements, sequences), (long) Float.BYTES);
    }

    private static long padded(long tokens) {
        return Math.ceilDiv(tokens, (long) CELLS_PADDING) * CELLS_PADDING;
    }
}
