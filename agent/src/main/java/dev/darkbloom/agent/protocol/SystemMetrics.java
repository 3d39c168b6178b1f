package dev.darkbloom.agent.protocol;

import java.util.Optional;

/**
 * How busy the machine is.
 *
 * @param memoryPressure 0 to 1
 * @param cpuUsage 0 to 1
 * @param thermalState absent where the system does not tell
 */
public record SystemMetrics(double memoryPressure, double cpuUsage, Optional<ThermalState> thermalState) {
    static final SystemMetrics NONE = new SystemMetrics(0, 0, Optional.empty());

    public SystemMetrics {
        Checks.finite(memoryPressure, "memory_pressure");
        Checks.finite(cpuUsage, "cpu_usage");
    }
}
