package dev.darkbloom.agent.coordinator;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * How long to wait before the next attempt to connect: full jitter, so that the nodes of a coordinator that comes back do not come back at once
 * (M. Brooker, "Exponential Backoff And Jitter", 2015).
 *
 * <p>An attempt waits a random time between nothing and a limit that doubles with each failure. The limit falls back only after a connection
 * that has lasted: one that is accepted and dropped at once counts as a failure.
 *
 * <p>Belongs to one thread.
 */
final class Backoff {
    static final Duration BASE = Duration.ofSeconds(1);
    static final Duration CAP = Duration.ofSeconds(30);
    /** What a connection has to last to count as a success. */
    static final Duration LASTED = Duration.ofSeconds(60);

    private static final int MAX_DOUBLINGS = 16;

    private final RandomGenerator random;
    private final Duration base;
    private final Duration cap;
    private final Duration lasted;
    private int failures;

    /** Takes its parameters as they are; {@code random} is asked once for each attempt. */
    Backoff(RandomGenerator random, Duration base, Duration cap, Duration lasted) {
        this.random = random;
        this.base = base;
        this.cap = cap;
        this.lasted = lasted;
    }

    /** Returns the backoff that this project uses. */
    static Backoff standard(RandomGenerator random) {
        return new Backoff(random, BASE, CAP, LASTED);
    }

    /**
     * Returns how long to wait after a connection that lasted {@code duration}; nothing for one that never came to be.
     *
     * @return 0 to the cap
     */
    Duration afterConnectionOf(Duration duration) {
        if (duration.compareTo(lasted) >= 0) {
            failures = 0;
        }
        long limit = Math.min(cap.toNanos(), base.toNanos() << Math.min(failures, MAX_DOUBLINGS));
        failures++;
        return Duration.ofNanos(random.nextLong(limit + 1));
    }

    /** Returns how many attempts have failed in a row. */
    int failures() {
        return failures;
    }
}
