package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * What the agent has room for (section 4.2.1). A coordinator keeps the last one it got.
 *
 * @param gpuMemoryActiveGb GB of weights and of the KV cells in use, without those that are only reserved: a coordinator adds its own
 *     estimate
 * @param capacitySeq grows with every report of a connection; above 0 it promises answers to {@code capacity_probe}, and 0 is left out
 * @param freeForLoadGb GB of weights that could be loaded now, idle models counted as gone
 * @param loadTransitionActive whether a model is being loaded
 */
public record CapacityReport(List<SlotReport> slots, double gpuMemoryActiveGb, double gpuMemoryPeakGb, double gpuMemoryCacheGb,
        double totalMemoryGb, @JsonInclude(JsonInclude.Include.NON_DEFAULT) long capacitySeq, OptionalDouble freeForLoadGb,
        OptionalDouble loadUsableGb, OptionalDouble loadHeadroomGb, Optional<Boolean> loadTransitionActive, Optional<Telemetry> telemetry) {
    /**
     * What only a dashboard reads.
     *
     * @param memoryPressureLevel {@code normal}, {@code warning}, {@code critical} or {@code other}
     */
    public record Telemetry(Optional<Boolean> lowPowerMode, Optional<String> memoryPressureLevel, OptionalLong inAdmission,
            OptionalLong inflightTasks) {}

    public CapacityReport {
        slots = List.copyOf(slots);
        Checks.finite(gpuMemoryActiveGb, "gpu_memory_active_gb");
        Checks.finite(gpuMemoryPeakGb, "gpu_memory_peak_gb");
        Checks.finite(gpuMemoryCacheGb, "gpu_memory_cache_gb");
        Checks.finite(totalMemoryGb, "total_memory_gb");
        Checks.finite(freeForLoadGb, "free_for_load_gb");
        Checks.finite(loadUsableGb, "load_usable_gb");
        Checks.finite(loadHeadroomGb, "load_headroom_gb");
    }
}
