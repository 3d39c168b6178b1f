package dev.darkbloom.agent.hardware;

import java.time.Instant;
import java.util.OptionalLong;

/**
 * Time as it passes for others: it goes on while this machine sleeps, and setting the clock does not move it. {@link System#nanoTime} stands still
 * in sleep, and the wall clock jumps. Any thread.
 */
@FunctionalInterface
public interface ContinuousClock {
    /** Returns nanoseconds since some fixed moment. */
    long nanos();

    /** Returns the system's own; the wall clock where it has none, which then takes a clock that is set for a sleep. */
    static ContinuousClock ofThisSystem() {
        NativeAccess system = NativeAccess.ofThisSystem();
        return system.continuousNanos().isEmpty() ? ContinuousClock::wall : () -> {
            OptionalLong nanos = system.continuousNanos();
            return nanos.orElseThrow(() -> new IllegalStateException("the system's clock has gone"));
        };
    }

    private static long wall() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000 + now.getNano();
    }
}
