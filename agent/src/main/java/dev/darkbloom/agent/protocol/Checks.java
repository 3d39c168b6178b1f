package dev.darkbloom.agent.protocol;

import java.util.OptionalDouble;

/** What the wire cannot check. */
final class Checks {
    private Checks() {}

    /** Refuses what JSON has no number for. */
    static double finite(double value, String name) {
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException(name + " is not finite");
        }
        return value;
    }

    static OptionalDouble finite(OptionalDouble value, String name) {
        value.ifPresent(number -> finite(number, name));
        return value;
    }
}
