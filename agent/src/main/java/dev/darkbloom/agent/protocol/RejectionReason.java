package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** Which limit refused a request or a quote. */
public enum RejectionReason {
    TOKEN_BUDGET,
    KV_HEADROOM,
    MEMORY_CAP,
    SLOT_STATE,
    TEMPLATE,
    CAPABILITY,
    DEADLINE;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
