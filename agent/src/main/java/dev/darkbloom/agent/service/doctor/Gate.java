package dev.darkbloom.agent.service.doctor;

import java.time.Instant;
import java.util.Objects;
import java.util.Optional;

/**
 * One condition of getting work.
 *
 * @param name stable, in small letters with hyphens
 * @param isRequired whether nothing is routed here while it fails
 * @param detail what was found, in a few words
 * @param remedy what to do where it fails; empty where there is nothing to do
 * @param provenAt when that was found
 */
public record Gate(String name, Verdict verdict, boolean isRequired, String detail, String remedy, Optional<Instant> provenAt) {
    /** What is known of a gate. */
    public enum Verdict { PASS, FAIL, UNKNOWN }

    public Gate {
        Objects.requireNonNull(name);
        Objects.requireNonNull(verdict);
        Objects.requireNonNull(detail);
        Objects.requireNonNull(remedy);
        Objects.requireNonNull(provenAt);
    }

    static Gate pass(String name, String detail, Instant at) {
        return new Gate(name, Verdict.PASS, true, detail, "", Optional.of(at));
    }

    static Gate fail(String name, String detail, String remedy, Instant at) {
        return new Gate(name, Verdict.FAIL, true, detail, remedy, Optional.of(at));
    }

    static Gate unknown(String name, String detail) {
        return new Gate(name, Verdict.UNKNOWN, true, detail, "", Optional.empty());
    }

    /** Returns the same as something that does not stop work. */
    Gate optional() {
        return new Gate(name, verdict, false, detail, remedy, provenAt);
    }
}
