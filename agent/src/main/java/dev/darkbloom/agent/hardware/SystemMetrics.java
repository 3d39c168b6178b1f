package dev.darkbloom.agent.hardware;

import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * How a machine fares at one moment, as a heartbeat tells it ({@code system_metrics} of the provider protocol). What the system does not
 * say is absent.
 *
 * @param memoryPressure share of memory that is in use and cannot be had at once, 0 to 1
 * @param cpuUse load average of the last minute by the number of processors, 0 to 1
 * @param lowPowerMode whether the owner has the machine save power, which makes it slow
 * @param measuredAt by the wall clock
 */
public record SystemMetrics(
        OptionalDouble memoryPressure,
        OptionalDouble cpuUse,
        Thermal thermal,
        Optional<Boolean> lowPowerMode,
        PowerState power,
        Instant measuredAt) {
    public SystemMetrics {
        requireShare(memoryPressure);
        requireShare(cpuUse);
        Objects.requireNonNull(thermal);
        Objects.requireNonNull(lowPowerMode);
        Objects.requireNonNull(power);
        Objects.requireNonNull(measuredAt);
    }

    private static void requireShare(OptionalDouble share) {
        if (share.isPresent() && !(share.getAsDouble() >= 0 && share.getAsDouble() <= 1)) {
            throw new IllegalArgumentException(share.getAsDouble() + " is no share");
        }
    }

    /** Returns metrics that know nothing. */
    public static SystemMetrics unknown(String why, Instant at) {
        return new SystemMetrics(OptionalDouble.empty(), OptionalDouble.empty(), Thermal.assumed(why), Optional.empty(),
                PowerState.UNKNOWN, at);
    }

    /** Returns a load average as a share of the processors it was made on; more waiting than they can do is all of them. */
    static OptionalDouble cpuUse(double loadAverage, int processors) {
        return loadAverage >= 0 && processors > 0 ? OptionalDouble.of(Math.min(1, loadAverage / processors)) : OptionalDouble.empty();
    }
}
