package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.time.Duration;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;

class ProbesOfThisSystemTest {
    @Test
    void thePowerCanBeAskedFor() {
        assertThatCode(() -> PowerProbe.ofThisSystem().power()).doesNotThrowAnyException();
    }

    @Test
    void theLoadOfOthersIsAShare() throws InterruptedException {
        var share = LoadProbe.ofThisSystem(Duration.ofMillis(20)).othersShare();

        assertThat(share.orElse(0)).isBetween(0.0, 1.0);
    }

    @Test
    void thisMachineIsReported() {
        HardwareReport report = HardwareProbe.ofThisSystem().report();

        assertThat(report.memoryBytes()).isGreaterThan(256L << 20);
        assertThat(report.cores().total()).isPositive();
        assertThat(report.os().name()).isNotEmpty();
    }

    @Test
    void thisMachinesMetricsAreMeasured() {
        SystemMetrics metrics = MetricsProbe.ofThisSystem(InstantSource.system()).metrics();

        assertThat(metrics.memoryPressure()).isPresent();
        assertThat(metrics.cpuUse()).isPresent();
    }

    @Test
    void thisProcessKnowsThatItIsOpen() {
        Posture posture = PostureProbe.ofThisSystem(InstantSource.system()).posture();

        assertThat(posture.antiDebug().is(true)).as("nothing was shut: %s", posture.antiDebug().proof()).isFalse();
        assertThat(posture.debuggerAttached().value()).isPresent();
        assertThat(posture.rdmaDisabled().proof()).isNotEmpty();
    }
}
