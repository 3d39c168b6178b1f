package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** How a coordinator trusts an agent. */
public enum TrustLevel {
    NONE,
    SELF_SIGNED,
    HARDWARE,
    /** What a peer says that we do not know; never sent. */
    @JsonEnumDefaultValue
    UNKNOWN;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
