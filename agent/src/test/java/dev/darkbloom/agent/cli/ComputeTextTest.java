package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ComputeTextTest {
    @Test
    void measuredSettingsSayWhenAndWithWhatGain() {
        var compute = new StatusReport.Compute(1, 1, "off", 1024, 2500, "measured", Optional.empty(),
                Optional.of(Instant.parse("2026-11-24T07:00:30Z")), 1.254, 0.031);

        assertThat(text(compute)).isEqualTo("computes with 1 thread (polling 1), flash attention off, ubatch 1,024; measured 2026-11-24 07:00, "
                + "1.25 times as fast as unmeasured, spread 3 %");
    }

    @Test
    void safeSettingsSayWhyTheyAreUsed() {
        assertThat(text(unmeasured("waiting", "mains power"))).endsWith("; not measured yet: waits for mains power");
        assertThat(text(unmeasured("kept", "it was cut off"))).endsWith("; not measured: it was cut off; the next load tries again");
        assertThat(text(unmeasured("off", "backend.calibration is off"))).endsWith("; not measured: backend.calibration is off");
    }

    private static StatusReport.Compute unmeasured(String calibration, String reason) {
        return new StatusReport.Compute(4, 0, "auto", 512, 0, calibration, Optional.of(reason), Optional.empty(), 0, 0);
    }

    private static String text(StatusReport.Compute compute) {
        return ComputeText.of(compute, ZoneOffset.UTC);
    }
}
