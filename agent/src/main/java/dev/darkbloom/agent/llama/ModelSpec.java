package dev.darkbloom.agent.llama;

import java.nio.file.Path;
import java.util.List;

/**
 * What to load and with which room: the answer of whoever read the file's header and the settings.
 *
 * @param id the model's name towards clients
 * @param files the GGUF file, or all shards of a split model in order
 * @param contextTokensPerSequence positive; tokens one sequence may hold
 * @param slots sequences that may run side by side; 1 to 256
 * @param threads threads for decode and prefill; positive
 * @param gpuLayers layers given to a GPU; negative for all
 * @param embedding whether the model is served for embeddings (pooled, no decode loop) instead of text
 * @param chatTemplate a template that replaces the file's own; empty for the file's own
 * @param batchTokens most tokens in one decode call ({@code n_batch}); positive
 * @param ubatchTokens most tokens the backend computes at once ({@code n_ubatch}); positive, at most {@code batchTokens}
 * @param kvUnified one KV buffer for all sequences instead of one per sequence
 * @param flashAttention whether to use flash attention
 */
public record ModelSpec(
        String id,
        List<Path> files,
        int contextTokensPerSequence,
        int slots,
        int threads,
        int gpuLayers,
        boolean embedding,
        String chatTemplate,
        int batchTokens,
        int ubatchTokens,
        boolean kvUnified,
        FlashAttention flashAttention) {

    /** When the backend computes attention without storing the score matrix; {@code llama_flash_attn_type}. */
    public enum FlashAttention { AUTO, OFF, ON }

    public ModelSpec {
        files = List.copyOf(files);
        if (id.isEmpty() || files.isEmpty()) {
            throw new IllegalArgumentException("a model has an id and at least one file");
        }
        if (contextTokensPerSequence < 1 || slots < 1 || slots > 256 || threads < 1) {
            throw new IllegalArgumentException("context " + contextTokensPerSequence + ", slots " + slots + ", threads " + threads);
        }
        if (ubatchTokens < 1 || batchTokens < ubatchTokens) {
            throw new IllegalArgumentException("batch of " + batchTokens + " tokens, ubatch of " + ubatchTokens);
        }
        if (embedding && batchTokens != ubatchTokens) { // attention without a mask needs a whole batch at once; upstream aborts otherwise
            throw new IllegalArgumentException("an embedding model's batch and ubatch are equal, not " + batchTokens + " and " + ubatchTokens);
        }
    }

    /** Returns the tokens of the whole context, all sequences together. */
    public long contextTokens() {
        return (long) contextTokensPerSequence * slots;
    }
}
