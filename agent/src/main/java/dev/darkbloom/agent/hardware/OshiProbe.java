package dev.darkbloom.agent.hardware;

import oshi.SystemInfo;
import oshi.hardware.CentralProcessor;

/** Asks OSHI, and on a Mac {@code sysctl} for the kinds of cores. */
public final class OshiProbe implements MachineProbe {
    private static final String[] SYSCTL = {"/usr/sbin/sysctl",
            "machdep.cpu.brand_string", "hw.memsize", "hw.physicalcpu", "hw.perflevel0.physicalcpu"};

    private final SystemInfo system = new SystemInfo();

    @Override
    public Machine machine() {
        CentralProcessor processor = system.getHardware().getProcessor();
        // A container's or a task set's share of the cores, which OSHI does not see.
        int usable = Runtime.getRuntime().availableProcessors();
        int physical = Math.clamp(processor.getPhysicalProcessorCount(), 1, usable);
        var seen = new Machine(
                processor.getProcessorIdentifier().getName().strip(),
                system.getHardware().getMemory().getTotal(),
                physical,
                Math.clamp(coresOfTheFastestKind(processor), 1, physical));
        return System.getProperty("os.name").startsWith("Mac") ? sysctl().machine(seen) : seen;
    }

    private static long coresOfTheFastestKind(CentralProcessor processor) {
        var cores = processor.getPhysicalProcessors();
        int fastest = cores.stream().mapToInt(CentralProcessor.PhysicalProcessor::getEfficiency).max().orElse(0);
        return cores.stream().filter(core -> core.getEfficiency() == fastest).count();
    }

    @Override
    public long availableBytes() {
        return system.getHardware().getMemory().getAvailable();
    }

    private static SysctlOutput sysctl() {
        return SysctlOutput.parse(SystemTools.STANDARD.run(SYSCTL).output());
    }
}
