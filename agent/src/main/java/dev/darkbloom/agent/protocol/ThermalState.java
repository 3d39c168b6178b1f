package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** How hot the machine is; a critical one gets no requests. */
public enum ThermalState {
    NOMINAL,
    FAIR,
    SERIOUS,
    CRITICAL;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
