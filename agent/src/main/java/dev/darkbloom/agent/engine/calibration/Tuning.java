package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelSpec;

/** Knows what was found before, and whether this is a moment to measure. Called on {@code model-loader}. */
public interface Tuning {
    /** Every model computes as its specification says; nothing is measured. */
    Tuning NONE = new Tuning() {
        @Override
        public Plan plan(ModelSpec asked) {
            return new Plan.Use(asked.compute());
        }

        @Override
        public void ended(ModelSpec asked, Outcome outcome) {}

        @Override
        public void uses(ModelSpec asked, ComputeSettings settings) {}
    };

    /** How a model that is being loaded gets its settings. */
    sealed interface Plan {
        /** By these, or, should they leave less room for contexts, by those of the specification. */
        record Use(ComputeSettings settings) implements Plan {}

        /** By measuring, once the weights are there, from those of the specification on. */
        record Measure(Search search) implements Plan {}
    }

    /**
     * Decides about a load that begins.
     *
     * @param asked as the model was registered, with safe settings and those that the owner has set
     */
    Plan plan(ModelSpec asked);

    /** Takes the result of a measurement that was planned. */
    void ended(ModelSpec asked, Outcome outcome);

    /** Hears with which settings the model serves from now on. */
    void uses(ModelSpec asked, ComputeSettings settings);
}
