package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class ContinuousClockTest {
    @Test
    void itNeverGoesBack() {
        ContinuousClock clock = ContinuousClock.ofThisSystem();
        long last = clock.nanos();

        for (int i = 0; i < 1000; i++) {
            long now = clock.nanos();
            assertThat(now).isGreaterThanOrEqualTo(last);
            last = now;
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void onLinuxItIsTheTimeSinceTheBoot() {
        double uptime = Double.parseDouble(new LinuxFiles(Path.of("/")).text("proc/uptime").orElseThrow().split(" ")[0]);

        assertThat(ContinuousClock.ofThisSystem().nanos() / 1e9).isBetween(uptime - 1, uptime + 60);
    }
}
