package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** Why a request failed: the closed set of section 9.3, from which a newer coordinator takes its sentence. */
public enum FailureCode {
    INVALID_REQUEST,
    INVALID_MEDIA,
    MEDIA_TOO_LARGE,
    UNSUPPORTED_MEDIA,
    TEMPLATE_RENDER,
    MODEL_UNAVAILABLE,
    CAPACITY,
    CANCELLED,
    ENCRYPTION_FAILURE,
    GENERATION_FAILURE,
    INTERNAL_FAILURE;

    /** Returns the word that messages carry. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
