package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Map;
import java.util.Optional;

/**
 * Hashes that a coordinator compares with its manifest of releases: hexadecimal SHA-256, in lower case.
 *
 * @param templateHashes by name; newer coordinators look for {@code mlx_metallib}
 */
public record RuntimeHashes(Optional<String> pythonHash, Optional<String> runtimeHash,
        @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, String> templateHashes) {
    /** Nothing to compare. */
    public static final RuntimeHashes NONE = new RuntimeHashes(Optional.empty(), Optional.empty(), Map.of());

    public RuntimeHashes {
        templateHashes = Map.copyOf(templateHashes);
    }
}
