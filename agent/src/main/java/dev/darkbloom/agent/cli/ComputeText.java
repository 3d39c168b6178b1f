package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** With which settings a model computes, and why with these, as people read it. */
final class ComputeText {
    private static final DateTimeFormatter MINUTE = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT);

    private ComputeText() {}

    /**
     * Returns one line.
     *
     * @param zone in which times are told
     */
    static String of(StatusReport.Compute compute, ZoneId zone) {
        return "computes with " + compute.threads() + (compute.threads() == 1 ? " thread" : " threads")
                + (compute.threadPolling() > 0 ? " (polling " + compute.threadPolling() + ")" : "")
                + ", flash attention " + compute.flashAttention() + ", ubatch " + Units.count(compute.ubatchTokens()) + "; " + why(compute, zone);
    }

    private static String why(StatusReport.Compute compute, ZoneId zone) {
        String reason = compute.reason().orElse("no reason given");
        return switch (compute.calibration()) {
            case "measured" -> "measured " + MINUTE.format(compute.measuredAt().orElse(Instant.EPOCH).atZone(zone)) + ", "
                    + String.format(Locale.ROOT, "%.2f times as fast as unmeasured, spread %.0f %%", compute.speedup(), 100 * compute.spread());
            case "waiting" -> "not measured yet: waits for " + reason;
            case "kept" -> "not measured: " + reason + "; the next load tries again";
            default -> "not measured: " + reason;
        };
    }
}
