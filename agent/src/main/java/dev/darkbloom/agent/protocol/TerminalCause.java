package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What ended a request that had begun: the closed set of section 9.3. */
public enum TerminalCause {
    ADMISSION_TIMEOUT,
    PREFILL_STALL,
    DECODE_STALL,
    SAFETY_DEADLINE,
    BACKPRESSURE_TIMEOUT,
    WATCHDOG,
    CANCELLED,
    ENGINE_ERROR;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
