package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A model on disk, as a listing shows it.
 *
 * @param id the name towards clients: the file name without {@code .gguf} and without a shard suffix
 * @param files the GGUF file, or all shards in order; of a broken set, those that were found
 * @param sizeBytes bytes of all files
 * @param architecture for example {@code llama}; empty when the header cannot be read, as are the following
 * @param quantization for example {@code Q4_K_M}
 * @param trainedContextTokens context the model was trained for; 0 when unknown
 * @param parameters number of weights; 0 when unknown
 * @param problem why the model cannot be loaded, in a sentence; empty when it can
 */
public record ModelEntry(
        String id,
        List<Path> files,
        long sizeBytes,
        String architecture,
        String quantization,
        int trainedContextTokens,
        long parameters,
        Optional<String> problem) {

    public ModelEntry {
        Objects.requireNonNull(id);
        files = List.copyOf(files);
        Objects.requireNonNull(architecture);
        Objects.requireNonNull(quantization);
        Objects.requireNonNull(problem);
    }

    /** Returns this entry, or throws {@code MODEL_INVALID} with its problem. */
    public ModelEntry orElseThrow() {
        problem.ifPresent(text -> {
            throw new AgentException(ErrorCode.MODEL_INVALID, text);
        });
        return this;
    }

    /** Describes a model that has been opened and, with {@code problem}, judged. */
    static ModelEntry of(String id, GgufModel model, Optional<String> problem) {
        var params = new Hyperparameters(model);
        return new ModelEntry(id, model.files(), model.sizeBytes(), model.architecture(), Quantization.label(model),
                params.whole("context_length", 0), model.parameters(), problem);
    }

    /** Describes files whose header cannot be read, or which cannot be offered. */
    static ModelEntry broken(String id, List<Path> files, long sizeBytes, String problem) {
        return new ModelEntry(id, files, sizeBytes, "", "", 0, 0, Optional.of(problem));
    }
}
