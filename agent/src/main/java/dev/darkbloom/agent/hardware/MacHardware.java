package dev.darkbloom.agent.hardware;

import dev.darkbloom.agent.hardware.HardwareReport.Form;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks {@code sysctl} and the IORegistry, which answer in about a millisecond each, and {@code system_profiler} for what they do not
 * know: the machine's common name, and whatever one of them fails to say.
 *
 * @param tools runs them
 * @param fallback gives chip, cores and memory where no tool does
 */
record MacHardware(ToolRunner tools, MachineProbe fallback) implements HardwareProbe {
    static final String[] SYSCTL = {"/usr/sbin/sysctl",
            "hw.model", "machdep.cpu.brand_string", "hw.memsize", "hw.nperflevels",
            "hw.perflevel0.physicalcpu", "hw.perflevel0.name", "hw.perflevel1.physicalcpu", "hw.perflevel1.name",
            "hw.perflevel2.physicalcpu", "hw.perflevel2.name",
            "kern.hv_vmm_present", "kern.osproductversion", "kern.osversion", "sysctl.proc_translated"};
    static final String[] GPU = {"/usr/sbin/ioreg", "-r", "-d", "1", "-w", "0", "-c", "AGXAccelerator"};
    static final String[] PLATFORM = {"/usr/sbin/ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOPlatformExpertDevice"};
    static final String[] PROFILE = {"/usr/sbin/system_profiler", "-json", "SPHardwareDataType"};
    static final String[] DISPLAYS = {"/usr/sbin/system_profiler", "-json", "SPDisplaysDataType"};
    static final String[] SW_VERS = {"/usr/bin/sw_vers"};

    /**
     * {@code proc 10:4:6}, all cores and those of each kind; since macOS 26 {@code proc 10:4:6:0}, whose last is a kind between the two.
     */
    private static final Pattern PROC = Pattern.compile("proc (\\d+):(\\d+):\\d+(?::\\d+)?");
    /** {@code 10 (4 Performance and 6 Efficiency)} */
    private static final Pattern PROC_TEXT = Pattern.compile("(\\d+) \\((\\d+) \\w+ and \\d+ \\w+\\)");
    private static final Pattern GIGABYTES = Pattern.compile("(\\d{1,6}) (GB|TB)");
    /** No kernel counts more kinds; a number beyond is garbage. */
    private static final int MOST_KINDS = 3;
    private static final int MOST_CORES = 4096;

    @Override
    public HardwareReport report() {
        var sysctl = SysctlOutput.parse(tools.run(SYSCTL).output());
        var platform = fields(PLATFORM);
        var profile = fields(PROFILE);
        String model = sysctl.textIfAny("hw.model").or(() -> profile.text("machine_model", "Model Identifier"))
                .or(() -> platform.text("model")).orElse("");
        Chip chip = Chip.named(sysctl.textIfAny("machdep.cpu.brand_string").or(() -> profile.text("chip_type", "Chip"))
                .orElseGet(() -> fallback.machine().chip()));
        long memoryBytes = memoryBytes(sysctl, profile);
        int memoryGib = Math.toIntExact(memoryBytes >> 30);
        Cores cores = cores(sysctl, profile);
        boolean isVirtual = model.startsWith("VirtualMac") || sysctl.number("kern.hv_vmm_present").orElse(0) == 1;
        OptionalInt counted = isVirtual ? OptionalInt.empty() : countedGpuCores();
        OptionalInt gpuCores = counted.isPresent() || isVirtual ? counted : ChipTable.gpuCores(chip.name(), cores.total(), memoryGib);
        return new HardwareReport(
                model,
                isVirtual ? Form.VIRTUAL : form(model, profile.text("machine_name", "Model Name").orElse("")),
                chip,
                cores,
                gpuCores,
                memoryBytes,
                ChipTable.bandwidthGBps(chip.name(), cores.total(), gpuCores, memoryGib),
                serialNumber(platform, profile),
                OsVersion.ofMac(fields(SW_VERS), sysctl),
                sysctl.number("sysctl.proc_translated").orElse(0) == 1);
    }

    private Fields fields(String... command) {
        return Fields.parse(tools.run(command).output());
    }

    private OptionalInt countedGpuCores() {
        OptionalInt registry = fields(GPU).count("gpu-core-count");
        return registry.isPresent() ? registry : fields(DISPLAYS).count("sppci_cores");
    }

    private static Optional<String> serialNumber(Fields platform, Fields profile) {
        return platform.text("IOPlatformSerialNumber").or(() -> profile.text("serial_number", "Serial Number (system)"));
    }

    private long memoryBytes(SysctlOutput sysctl, Fields profile) {
        OptionalLong counted = sysctl.number("hw.memsize");
        if (counted.isPresent() && isPlausible(counted.getAsLong())) {
            return counted.getAsLong();
        }
        Matcher written = GIGABYTES.matcher(profile.text("physical_memory", "Memory").orElse(""));
        if (written.matches()) {
            long bytes = Long.parseLong(written.group(1)) << (written.group(2).equals("TB") ? 40 : 30);
            if (isPlausible(bytes)) {
                return bytes;
            }
        }
        return fallback.machine().memoryBytes();
    }

    private static boolean isPlausible(long bytes) {
        return bytes > 0 && bytes <= HardwareReport.MOST_MEMORY_BYTES;
    }

    private Cores cores(SysctlOutput sysctl, Fields profile) {
        var kinds = new ArrayList<Cores.Kind>();
        for (int level = 0; level < MOST_KINDS; level++) {
            long count = sysctl.number("hw.perflevel" + level + ".physicalcpu").orElse(0);
            if (count < 1 || count > MOST_CORES) {
                break;
            }
            kinds.add(new Cores.Kind(sysctl.text("hw.perflevel" + level + ".name", ""), (int) count));
        }
        return kinds.isEmpty() ? profiledCores(profile).orElseGet(this::fallbackCores) : new Cores(kinds);
    }

    /** The first number after the sum is the fastest kind's, however the others are split. */
    private static Optional<Cores> profiledCores(Fields profile) {
        String text = profile.text("number_processors", "Total Number of Cores").orElse("");
        return List.of(PROC, PROC_TEXT).stream().map(form -> form.matcher(text)).filter(Matcher::matches).findFirst()
                .filter(found -> found.group(1).length() <= 4 && found.group(2).length() <= 4)
                .flatMap(found -> twoKinds(Integer.parseInt(found.group(1)), Integer.parseInt(found.group(2))));
    }

    private Cores fallbackCores() {
        Machine machine = fallback.machine();
        return twoKinds(machine.physicalCores(), machine.performanceCores()).orElseThrow();
    }

    private static Optional<Cores> twoKinds(int total, int fastest) {
        if (fastest < 1 || fastest > total) {
            return Optional.empty();
        }
        var first = new Cores.Kind("", fastest);
        return Optional.of(new Cores(fastest == total ? List.of(first) : List.of(first, new Cores.Kind("", total - fastest))));
    }

    /** Since 2022 the model's identifier says nothing of its form ({@code Mac14,2} is a laptop, {@code Mac14,3} is not), its name does. */
    private static Form form(String model, String name) {
        if (model.startsWith("MacBook") || name.startsWith("MacBook")) {
            return Form.LAPTOP;
        }
        boolean desktop = name.startsWith("Mac ") || name.startsWith("iMac") || model.startsWith("Macmini") || model.startsWith("iMac");
        return desktop ? Form.DESKTOP : Form.UNKNOWN;
    }
}
