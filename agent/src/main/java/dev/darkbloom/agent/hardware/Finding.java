package dev.darkbloom.agent.hardware;

import java.time.Instant;
import java.util.Objects;
import java.util.Optional;

/**
 * Something that was looked up, and how.
 *
 * @param value what was found; empty when it could not be found out, which is neither yes nor no
 * @param proof what said so, or why nothing did, in a few words for the machine's owner; holds no value of the environment
 * @param at when, by the wall clock
 */
public record Finding<T>(Optional<T> value, String proof, Instant at) {
    public Finding {
        Objects.requireNonNull(value);
        Objects.requireNonNull(proof);
        Objects.requireNonNull(at);
    }

    /** Returns a value that was found. */
    public static <T> Finding<T> known(T value, String proof, Instant at) {
        return new Finding<>(Optional.of(value), proof, at);
    }

    /** Returns that nothing was found out, and why. */
    public static <T> Finding<T> unknown(String why, Instant at) {
        return new Finding<>(Optional.empty(), why, at);
    }

    /** Returns whether exactly this was found; unknown is not. */
    public boolean is(T wanted) {
        return value.isPresent() && value.get().equals(wanted);
    }
}
