package dev.darkbloom.agent.hardware;

import java.util.Locale;

/** How far heat holds a machine back, in the protocol's words ({@code system_metrics.thermal_state}), the coolest first. */
public enum ThermalState {
    NOMINAL,
    /** It is warm; little is lost. */
    FAIR,
    /** It computes markedly slower. */
    SERIOUS,
    /** It needs rest; coordinators send it nothing. */
    CRITICAL;

    /** Returns the hotter of the two. */
    ThermalState orHotter(ThermalState other) {
        return compareTo(other) >= 0 ? this : other;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
