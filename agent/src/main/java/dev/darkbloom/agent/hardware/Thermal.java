package dev.darkbloom.agent.hardware;

import java.util.Objects;

/**
 * A machine's thermal state and how it is known.
 *
 * @param isMeasured whether a sensor says so; otherwise the state is {@link ThermalState#NOMINAL} because nothing says anything else
 * @param source what said so, or why nothing did, in a few words
 */
public record Thermal(ThermalState state, boolean isMeasured, String source) {
    public Thermal {
        Objects.requireNonNull(state);
        Objects.requireNonNull(source);
    }

    /** Returns what a sensor says. */
    public static Thermal measured(ThermalState state, String source) {
        return new Thermal(state, true, source);
    }

    /** Returns the state of a machine that does not say, and why it does not. */
    public static Thermal assumed(String why) {
        return new Thermal(ThermalState.NOMINAL, false, why);
    }
}
