package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What the agent is doing, as heartbeats say it. */
public enum HeartbeatStatus {
    IDLE,
    SERVING,
    /** Finishes what it has accepted and takes nothing new; an older coordinator leaves routing as it was. */
    DRAINING,
    /** What a peer says that we do not know; never sent. */
    @JsonEnumDefaultValue
    UNKNOWN;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
