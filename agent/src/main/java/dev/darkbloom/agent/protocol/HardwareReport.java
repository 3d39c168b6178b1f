package dev.darkbloom.agent.protocol;

/**
 * The machine, as {@code register} reports it (section 4.1.1).
 *
 * @param machineModel for example {@code Mac16,6}; consumers see it
 * @param chipName for example {@code Apple M4 Max}; consumers see it
 * @param chipFamily {@code M1} and so on, or {@code Unknown}
 * @param chipTier {@code Base}, {@code Pro}, {@code Max}, {@code Ultra} or {@code Unknown}
 * @param memoryGb whole GiB of memory; an older coordinator cannot read a registration in which this has a decimal point
 * @param memoryAvailableGb GB that models may use; finite
 * @param memoryBandwidthGbs GB/s; its root is the speed that is assumed of an agent that reports none; finite
 */
public record HardwareReport(String machineModel, String chipName, String chipFamily, String chipTier, long memoryGb,
        double memoryAvailableGb, CpuCores cpuCores, int gpuCores, double memoryBandwidthGbs) {
    /** Cores by kind. */
    public record CpuCores(int total, int performance, int efficiency) {}

    /** A machine of which nothing is known. */
    static final HardwareReport NONE = new HardwareReport("", "", "Unknown", "Unknown", 0, 0, null, 0, 0);

    public HardwareReport {
        Checks.finite(memoryAvailableGb, "memory_available_gb");
        Checks.finite(memoryBandwidthGbs, "memory_bandwidth_gbs");
        cpuCores = cpuCores == null ? new CpuCores(0, 0, 0) : cpuCores;
    }
}
