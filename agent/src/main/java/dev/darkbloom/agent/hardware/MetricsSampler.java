package dev.darkbloom.agent.hardware;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Measures again and again on a thread of its own, so that who sends heartbeats only reads. {@link #latest} never waits and may be called
 * from an event loop.
 *
 * <p>What has grown too old is not handed out: after a sleep of the machine, or while a tool hangs, the metrics are unknown rather than
 * yesterday's.
 */
public final class MetricsSampler implements AutoCloseable {
    /** Two heartbeats: what is measured changes slowly, and on a Mac each time starts five programs. */
    public static final Duration INTERVAL = Duration.ofSeconds(10);
    /** An interval, and the time that every tool may take before it is ended, and some more for a busy machine. */
    public static final Duration MAX_AGE = Duration.ofSeconds(60);

    private final MetricsProbe probe;
    private final Duration interval;
    private final Duration maxAge;
    private final InstantSource clock;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread;
    private volatile SystemMetrics latest; // written by the thread

    private MetricsSampler(MetricsProbe probe, Duration interval, Duration maxAge, InstantSource clock) {
        this.probe = probe;
        this.interval = interval;
        this.maxAge = maxAge;
        this.clock = clock;
        latest = SystemMetrics.unknown("not measured yet", clock.instant());
        thread = Thread.ofPlatform().daemon().name("task-metrics").unstarted(this::run);
    }

    /**
     * Starts to measure at once, and then every {@code interval}.
     *
     * @param maxAge after which a measurement is no longer handed out
     * @param clock the wall clock that the probe uses, too
     */
    public static MetricsSampler start(MetricsProbe probe, Duration interval, Duration maxAge, InstantSource clock) {
        var sampler = new MetricsSampler(probe, interval, maxAge, clock);
        sampler.thread.start();
        return sampler;
    }

    /** Returns the last measurement, or unknown metrics where it is too old. Any thread; does not block. */
    public SystemMetrics latest() {
        SystemMetrics last = latest;
        Instant now = clock.instant();
        // A clock that was set back makes it one from the future, of no known age.
        boolean isFresh = Duration.between(last.measuredAt(), now).compareTo(maxAge) <= 0 && !last.measuredAt().isAfter(now);
        return isFresh ? last : SystemMetrics.unknown("last measured at " + last.measuredAt(), now);
    }

    private void run() {
        try {
            do {
                latest = measure();
            } while (!closed.await(interval.toNanos(), TimeUnit.NANOSECONDS));
        } catch (InterruptedException _) {
            // Closing, while it waited.
        }
    }

    private SystemMetrics measure() {
        try {
            return probe.metrics();
        } catch (RuntimeException e) {
            // A probe that fails once must not end all measuring; what it saw is in the reason.
            return SystemMetrics.unknown(e.toString(), clock.instant());
        }
    }

    /** Stops measuring; a measurement under way is broken off. Waits for the thread's end; a second close does nothing. */
    @Override
    public void close() {
        closed.countDown();
        thread.interrupt();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException _) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
