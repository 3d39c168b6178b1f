package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** How far a {@code prefetch_model} has come. */
public enum PrefetchStatus {
    STARTED,
    DOWNLOADING,
    /** On disk and its hash checked; not loaded. */
    VERIFIED,
    FAILED,
    /** What a peer says that we do not know; never sent. */
    @JsonEnumDefaultValue
    UNKNOWN;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
