package dev.darkbloom.agent.api;

import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;

/** Facts about a model that do not change while the agent runs, for {@code /v1/models}. Any thread. */
@FunctionalInterface
public interface ModelCards {
    /** Says nothing about any model. */
    ModelCards NONE = _ -> Optional.empty();

    /** Returns the card of a model; empty where nothing is known. */
    Optional<Card> card(String modelId);

    /**
     * What is known about a model's file.
     *
     * @param created when the file was made, as far as its date says
     * @param quantization for example {@code Q4_K_M}
     * @param contextTokens the context that the model was trained for, shown until it is loaded
     */
    record Card(Instant created, Optional<String> quantization, OptionalInt contextTokens) {}
}
