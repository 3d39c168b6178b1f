package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** Why a request failed, more closely than its {@link FailureCode}: the closed set of section 9.3. */
public enum ErrorReason {
    JINJA_CHANNEL_TAGS,
    JINJA_NULL_BRIDGE,
    JINJA_TEMPLATE,
    MODEL_LOAD,
    CAPACITY_TIMEOUT,
    QUEUE_FULL,
    TOKEN_BUDGET_EXHAUSTED,
    REQUEST_EXCEEDS_CONTEXT,
    REQUEST_EXCEEDS_NODE,
    REQUEST_EXCEEDS_NODE_BUDGET,
    REQUEST_EXCEEDS_BATCH_TOKEN_BUDGET,
    CAPACITY_BUSY,
    DEADLINE_UNREACHABLE,
    DRAINING,
    CANCELLED,
    CLIENT_ERROR,
    TOOL_NONCOMPLIANCE,
    MEDIA_MEMORY_UNAVAILABLE;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
