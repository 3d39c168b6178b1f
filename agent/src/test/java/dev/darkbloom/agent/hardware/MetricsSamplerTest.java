package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.OptionalDouble;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class MetricsSamplerTest {
    private static final Instant START = Instant.parse("2026-11-01T12:00:00Z");
    private static final Duration NEVER = Duration.ofDays(1);
    private static final Duration MAX_AGE = Duration.ofSeconds(60);

    private final AtomicReference<Instant> now = new AtomicReference<>(START);

    @Test
    void beforeTheFirstMeasurementNothingIsKnownAndNobodyWaits() {
        var mayMeasure = new CountDownLatch(1);
        try (var sampler = MetricsSampler.start(() -> {
            await(mayMeasure);
            return busy(0.5);
        }, NEVER, MAX_AGE, now::get)) {
            assertThat(sampler.latest().cpuUse()).isEmpty();
            assertThat(sampler.latest().thermal().source()).isEqualTo("not measured yet");

            mayMeasure.countDown();

            Awaitility.await().until(() -> sampler.latest().cpuUse().isPresent());
        }
    }

    @Test
    void itMeasuresAgainAfterEachInterval() {
        var rounds = new AtomicInteger();
        MetricsProbe counting = () -> busy(rounds.incrementAndGet() / 1000.0 % 1);
        try (var sampler = MetricsSampler.start(counting, Duration.ofMillis(1), MAX_AGE, now::get)) {
            Awaitility.await().until(() -> rounds.get() > 3);

            assertThat(sampler.latest().cpuUse()).isPresent();
        }
    }

    @Test
    void whatIsTooOldIsUnknown() {
        try (var sampler = measuredOnce()) {
            now.set(START.plus(MAX_AGE));
            assertThat(sampler.latest().cpuUse()).hasValue(0.5);

            now.set(START.plus(MAX_AGE).plusMillis(1));
            assertThat(sampler.latest().cpuUse()).isEmpty();
            assertThat(sampler.latest().thermal()).isEqualTo(Thermal.assumed("last measured at " + START));
        }
    }

    @Test
    void aClockThatWasSetBackMakesItUnknown() {
        try (var sampler = measuredOnce()) {
            now.set(START.minusSeconds(1));

            assertThat(sampler.latest().cpuUse()).isEmpty();
        }
    }

    @Test
    void aProbeThatFailsDoesNotEndTheMeasuring() {
        var rounds = new AtomicInteger();
        try (var sampler = MetricsSampler.start(() -> {
            if (rounds.incrementAndGet() < 3) {
                throw new IllegalStateException("no");
            }
            return busy(0.5);
        }, Duration.ofMillis(1), MAX_AGE, now::get)) {
            Awaitility.await().until(() -> sampler.latest().cpuUse().isPresent());
        }
    }

    @Test
    void closingBreaksOffAMeasurementThatHangs() throws InterruptedException {
        var measuring = new Semaphore(0);
        var thread = new AtomicReference<Thread>();
        var sampler = MetricsSampler.start(() -> {
            thread.set(Thread.currentThread());
            measuring.release();
            await(new CountDownLatch(1));
            return busy(0.5);
        }, NEVER, MAX_AGE, now::get);
        measuring.acquire();

        sampler.close();
        sampler.close();

        assertThat(thread.get().isAlive()).isFalse();
        assertThat(thread.get().isDaemon()).isTrue();
        assertThat(thread.get().getName()).isEqualTo("task-metrics");
    }

    private MetricsSampler measuredOnce() {
        var sampler = MetricsSampler.start(() -> busy(0.5), NEVER, MAX_AGE, now::get);
        Awaitility.await().until(() -> sampler.latest().cpuUse().isPresent());
        return sampler;
    }

    private SystemMetrics busy(double share) {
        return new SystemMetrics(OptionalDouble.empty(), OptionalDouble.of(share), Thermal.measured(ThermalState.FAIR, "test"),
                Optional.empty(), PowerState.UNKNOWN, now.get());
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
