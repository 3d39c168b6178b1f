package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import java.util.Set;

/** How a calibration ended. */
public sealed interface Outcome {
    /**
     * Settings were found, which may be those that were there before.
     *
     * @param settings with {@link ComputeSettings#prefillNanosPerToken}
     * @param speedup cost of the safe settings over the cost of these; a little below 1 where quieter settings cost next to nothing
     * @param spread how far apart comparisons of the same settings lay, as a share
     * @param measured choices that were measured; for the others there was no time, no room or no alternative
     */
    record Chosen(ComputeSettings settings, double speedup, double spread, Set<Choice> measured) implements Outcome {
        public Chosen {
            measured = Set.copyOf(measured);
        }
    }

    /**
     * Nothing follows from it: what was there before stays, until it is tried again.
     *
     * @param explanation for a person, without a full stop
     */
    record Kept(Reason reason, String explanation) implements Outcome {}

    /** Why nothing follows. */
    enum Reason {
        /** It was told to stop. */
        CUT_OFF,
        /** There was no time to measure anything twice. */
        TOO_SLOW,
        /** The same comparison came out one way once and another way the next time. */
        NOISE,
        /** The context is too small to measure in. */
        TOO_SMALL,
        /** The settings in use failed in a context made for measuring. */
        FAILED
    }
}
