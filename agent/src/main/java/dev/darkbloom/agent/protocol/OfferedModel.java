package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A model that the agent serves (section 4.1.2).
 *
 * @param id what requests name; a coordinator with a catalogue serves only ids of it
 * @param sizeBytes bytes of the weights on disk
 * @param modelType for example {@code text}; may be empty
 * @param quantization for example {@code Q4_K_M}; may be empty
 * @param weightHash left out for a file that the catalogue does not hold: another hash than the catalogue's removes the model
 * @param estimatedMemoryGb GiB when loaded; older coordinators ignore it
 * @param isVision whether it reads images
 * @param templateRenderOk false takes the model out of requests with tools; absent has no opinion
 */
public record OfferedModel(String id, long sizeBytes, String modelType, String quantization, Optional<String> weightHash,
        OptionalDouble parameters, OptionalDouble estimatedMemoryGb, @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean isVision,
        Optional<Boolean> nativeMediaTools, Optional<Boolean> templateRenderOk, Optional<String> toolConstraintTemplateHash) {
    public OfferedModel {
        Checks.finite(parameters, "parameters");
        Checks.finite(estimatedMemoryGb, "estimated_memory_gb");
    }

    /** Returns a text model of which nothing is known beyond its file. */
    public static OfferedModel text(String id, long sizeBytes, String quantization) {
        return new OfferedModel(id, sizeBytes, "text", quantization, Optional.empty(), OptionalDouble.empty(), OptionalDouble.empty(),
                false, Optional.empty(), Optional.empty(), Optional.empty());
    }
}
