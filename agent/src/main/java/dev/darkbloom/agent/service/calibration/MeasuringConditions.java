package dev.darkbloom.agent.service.calibration;

import dev.darkbloom.agent.hardware.LoadProbe;
import dev.darkbloom.agent.hardware.PowerProbe;
import dev.darkbloom.agent.hardware.PowerState;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Whether this is a moment to measure: on a battery the machine computes at another speed, and measuring drains it; beside other programs
 * that compute, every setting looks slow, many threads most of all.
 */
public record MeasuringConditions(PowerProbe power, LoadProbe load) {
    /** Share of all cores that others may take. */
    private static final double MOST_LOAD = 0.25;
    /** How long the load is watched before a measurement. */
    private static final Duration WATCHED = Duration.ofMillis(200);

    /** Returns the conditions of the machine that this process runs on. */
    public static MeasuringConditions ofThisMachine() {
        return new MeasuringConditions(PowerProbe.ofThisSystem(), LoadProbe.ofThisSystem(WATCHED));
    }

    /** Returns what a measurement has to wait for, for a person to read; empty when it need not. Blocks while the load is watched. */
    Optional<String> obstacle() throws InterruptedException {
        PowerState state = power.power();
        if (state.isLimited()) {
            String level = state.batteryPercent().isPresent() ? " at " + state.batteryPercent().getAsInt() + " %" : "";
            String source = state.source() == PowerState.Source.UPS ? "a UPS" : "its battery";
            return Optional.of("mains power (the machine runs on " + source + level + ")");
        }
        OptionalDouble others = load.othersShare();
        if (others.isPresent() && others.getAsDouble() > MOST_LOAD) {
            return Optional.of(String.format(Locale.ROOT, "a quiet machine (other programs take %.0f %% of it)", 100 * others.getAsDouble()));
        }
        return Optional.empty();
    }
}
