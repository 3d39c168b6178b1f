package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;

/**
 * For which models a forced tool call is enforced by a grammar; only newer coordinators ask.
 *
 * @param toolConstraintProtocol 1 promises it, 0 says nothing
 */
public record ToolConstraints(@JsonInclude(JsonInclude.Include.NON_DEFAULT) int toolConstraintProtocol,
        @JsonInclude(JsonInclude.Include.NON_EMPTY) List<String> toolConstraintModels) {
    /** No promise. */
    public static final ToolConstraints NONE = new ToolConstraints(0, List.of());

    public ToolConstraints {
        toolConstraintModels = List.copyOf(toolConstraintModels);
    }

    /** Promises it for {@code models}. */
    public static ToolConstraints enforcedFor(List<String> models) {
        return models.isEmpty() ? NONE : new ToolConstraints(1, models);
    }
}
