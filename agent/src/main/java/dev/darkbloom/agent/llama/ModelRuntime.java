package dev.darkbloom.agent.llama;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * One loaded model: weights and vocabulary, immutable, shared by the threads that read it.
 *
 * <p>Owned by whoever opened it; every decoder is closed before it. {@link LlamaModel} is the real one.
 */
public interface ModelRuntime extends AutoCloseable {
    ModelSpec spec();

    /** Returns the text side of the vocabulary; any thread. */
    Tokenizer tokenizer();

    /** Returns the chat template; any thread, one call at a time is arranged inside. */
    ChatTemplate chatTemplate();

    /** Returns what the file says about itself. */
    ModelFacts facts();

    /**
     * Opens the model's context, empty and warm: it has computed once. Called on the thread that will own the decoder and close it.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code OUT_OF_MEMORY} when the backend refuses, {@code DECODE_FATAL} when it cannot
     *     compute
     */
    default TokenDecoder openDecoder() {
        return openDecoder(spec());
    }

    /**
     * Opens a context, warm as well, with other room or settings than the model was loaded with. Called on the thread that will own the decoder and close it.
     *
     * @param room as {@link #spec} but for slots, context, KV layout and settings
     * @throws dev.darkbloom.agent.base.AgentException {@code OUT_OF_MEMORY} when the backend refuses
     */
    TokenDecoder openDecoder(ModelSpec room);

    /**
     * Opens a context like {@link #openDecoder(ModelSpec)}, but one that has not computed yet: for who makes first steps of its own.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code OUT_OF_MEMORY} when the backend refuses
     */
    TokenDecoder openCold(ModelSpec room);

    /**
     * Builds a sampler chain. Any thread; this may take milliseconds where a vocabulary has to be searched, so the decoder's thread does not.
     *
     * @param grammar taken, may be null
     * @param contextTokens tokens that a sequence may hold, which bounds what penalties look back on
     * @throws dev.darkbloom.agent.base.AgentException {@code INVALID_REQUEST} when llama.cpp refuses a setting
     */
    TokenSampler newSampler(SamplerSettings settings, Grammar grammar, int contextTokens);

    /** Frees the weights. Every decoder and every sampler has been closed. */
    @Override
    void close();

    /**
     * Facts from the file's metadata, without content.
     *
     * @param architecture for example {@code llama}
     * @param quantization for example {@code Q8_0}
     * @param parameters number of weights
     * @param weightBytes bytes of all tensors
     * @param trainedContextTokens context the model was trained for
     * @param embeddingSize numbers that {@link TokenDecoder#copyEmbedding} gives for an input: the width of a hidden state, or the scores of a
     *     model that ranks
     * @param vocabularySize tokens in the vocabulary
     * @param memoryKind how the model remembers
     * @param pooled whether the file declares a pooling type, which makes it an embedding model
     * @param rank how a model that ranks reads a pair; empty for others, whose pooled results are vectors
     * @param sampling defaults from {@code general.sampling.*}
     */
    record ModelFacts(
            String architecture,
            String quantization,
            long parameters,
            long weightBytes,
            int trainedContextTokens,
            int embeddingSize,
            int vocabularySize,
            MemoryKind memoryKind,
            boolean pooled,
            Optional<RankFormat> rank,
            SamplingDefaults sampling) {}

    /** What a sequence leaves behind in memory; decides which reuse is exact. */
    enum MemoryKind {
        /** A KV cell per token and layer: a tail can be cut off anywhere. */
        ATTENTION,
        /** Attention in which some layers keep only a window of tokens. */
        SLIDING_WINDOW,
        /** A state that cannot be rolled back. */
        RECURRENT,
        /** Attention and recurrent layers together. */
        HYBRID,
        /** None: an encoder without a cache. */
        NONE
    }

    /** The model author's own sampling defaults; an absent one is empty or NaN. */
    record SamplingDefaults(float temperature, OptionalInt topK, float topP, float minP, float repeatPenalty) {
        public static final SamplingDefaults NONE =
                new SamplingDefaults(Float.NaN, OptionalInt.empty(), Float.NaN, Float.NaN, Float.NaN);
    }
}
