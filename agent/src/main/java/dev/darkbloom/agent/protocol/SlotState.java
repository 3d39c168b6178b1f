package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What a model of a heartbeat can do now. */
public enum SlotState {
    /** Loaded. To an older coordinator a loaded model is this also when it is idle: {@link #IDLE} counts there as unknown. */
    RUNNING,
    IDLE,
    /** Not loaded, but loads on demand. */
    IDLE_SHUTDOWN,
    /** Gets no requests. */
    RELOADING,
    /** Gets no requests. */
    CRASHED,
    /** What a peer says that we do not know; never sent. */
    @JsonEnumDefaultValue
    UNKNOWN;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
