package dev.darkbloom.agent.models;

import java.util.List;
import java.util.Objects;

/**
 * The sizes of a model that decide what it takes in memory, from the GGUF header.
 *
 * @param architecture name as in the file, for example {@code llama}
 * @param memory how the model remembers
 * @param trainedContextTokens context the model was trained for; 0 when the file does not say
 * @param embeddingLength width of a hidden state; 0 when the file does not say
 * @param vocabularySize tokens of the vocabulary
 * @param layers what each layer keeps, in order
 * @param accuracy how far {@code layers} can be trusted
 */
public record ModelDims(
        String architecture,
        Memory memory,
        int trainedContextTokens,
        int embeddingLength,
        int vocabularySize,
        List<Layer> layers,
        Accuracy accuracy) {

    /** What a sequence leaves behind in memory. */
    public enum Memory {
        /** Keys and values of every token in every layer. */
        ATTENTION,
        /** Keys and values, in some layers of a window of tokens only. */
        SLIDING_WINDOW,
        /** A state of fixed size. */
        RECURRENT,
        /** Some layers with keys and values, some with a state. */
        HYBRID,
        /** Nothing: an encoder, or a diffusion model. */
        NONE,
        /** An architecture that is not known here. */
        UNKNOWN
    }

    /** How far an estimate can be trusted. */
    public enum Accuracy {
        /** What llama.cpp allocates, padding aside. */
        EXACT,
        /** At least what llama.cpp allocates. */
        UPPER_BOUND,
        /** The file does not say enough, or the architecture keeps more than is counted here. */
        UNKNOWN
    }

    /**
     * What one layer keeps.
     *
     * @param keyElements elements of the K cache per token; 0 for none
     * @param valueElements elements of the V cache per token; 0 for none
     * @param windowTokens tokens that the layer keeps; 0 for all
     * @param stateElements {@code f32} elements of recurrent state per sequence; 0 for none
     */
    public record Layer(int keyElements, int valueElements, int windowTokens, long stateElements) {}

    public ModelDims {
        Objects.requireNonNull(architecture);
        Objects.requireNonNull(memory);
        Objects.requireNonNull(accuracy);
        layers = List.copyOf(layers);
    }

    /** Reads the dimensions of {@code model}; never fails, but says {@link Accuracy#UNKNOWN} where the file makes no sense. */
    public static ModelDims of(GgufModel model) {
        return new DimsReader(model).read();
    }
}
