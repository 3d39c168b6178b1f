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
 * @param kvLayout how the sequences share the KV cache
 * @param kvTokens tokens that all sequences together may hold: {@code slots} full ones in streams, at least one full one when unified
 * @param gpuLayers layers given to a GPU; negative for all
 * @param embedding whether the model is served for embeddings (pooled, no decode loop) instead of text
 * @param chatTemplate a template that replaces the file's own; empty for the file's own
 * @param compute how it computes; an embedding model's batch is cut down to a multiple of {@code slots}, since pooling wants equal parts and
 *     llama.cpp v0.4.0 ends the process otherwise
 */
public record ModelSpec(
        String id,
        List<Path> files,
        int contextTokensPerSequence,
        int slots,
        KvLayout kvLayout,
        long kvTokens,
        int gpuLayers,
        boolean embedding,
        String chatTemplate,
        ComputeSettings compute) {

    public ModelSpec {
        files = List.copyOf(files);
        if (id.isEmpty() || files.isEmpty()) {
            throw new IllegalArgumentException("a model has an id and at least one file");
        }
        if (contextTokensPerSequence < 1 || slots < 1 || slots > 256) {
            throw new IllegalArgumentException("context " + contextTokensPerSequence + ", slots " + slots);
        }
        long all = (long) contextTokensPerSequence * slots;
        if (kvLayout == KvLayout.STREAMS ? kvTokens != all : kvTokens < contextTokensPerSequence || kvTokens > all) {
            throw new IllegalArgumentException(kvTokens + " tokens of KV cache, " + kvLayout + ", for " + slots + " slots of "
                    + contextTokensPerSequence);
        }
        if (embedding && compute.batchTokens() != compute.ubatchTokens()) {
            // Attention without a mask needs a whole batch at once; upstream aborts otherwise.
            throw new IllegalArgumentException("an embedding model's batch and ubatch are equal, not " + compute.batchTokens() + " and "
                    + compute.ubatchTokens());
        }
        if (embedding && compute.batchTokens() % slots != 0) {
            int tokens = Math.max(slots, compute.batchTokens() - compute.batchTokens() % slots);
            compute = new ComputeSettings(compute.threads(), compute.poll(), tokens, tokens, compute.prefillNanosPerToken(), compute.flashAttention());
        }
    }

    /** Returns a text model, its own template, in streams, with nothing on a GPU. */
    public static ModelSpec ofText(String id, Path file, int contextTokensPerSequence, int slots, ComputeSettings compute) {
        return new ModelSpec(id, List.of(file), contextTokensPerSequence, slots, KvLayout.STREAMS, (long) contextTokensPerSequence * slots, 0,
                false, "", compute);
    }

    /** Returns the same model with other room for its sequences, in streams. */
    public ModelSpec inStreams(int tokensPerSequence, int count) {
        return new ModelSpec(id, files, tokensPerSequence, count, KvLayout.STREAMS, (long) tokensPerSequence * count, gpuLayers, embedding,
                chatTemplate, compute);
    }

    /** Returns the same model with one store of {@code tokens} for all its sequences. */
    public ModelSpec unified(long tokens) {
        return new ModelSpec(id, files, contextTokensPerSequence, slots, KvLayout.UNIFIED, tokens, gpuLayers, embedding, chatTemplate, compute);
    }

    public ModelSpec withTemplate(String template) {
        return new ModelSpec(id, files, contextTokensPerSequence, slots, kvLayout, kvTokens, gpuLayers, embedding, template, compute);
    }

    public ModelSpec withCompute(ComputeSettings settings) {
        return new ModelSpec(id, files, contextTokensPerSequence, slots, kvLayout, kvTokens, gpuLayers, embedding, chatTemplate, settings);
    }
}
