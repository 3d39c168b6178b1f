package dev.darkbloom.agent.base;

import java.util.Objects;

/** A secret that prints as {@code Redacted}; who needs it says so by calling {@link #reveal}. */
public final class Redacted {
    private final String secret;

    public Redacted(String secret) {
        this.secret = Objects.requireNonNull(secret);
    }

    public String reveal() {
        return secret;
    }

    @Override
    public String toString() {
        return "Redacted";
    }
}
