package dev.darkbloom.agent.hardware;

import dev.darkbloom.agent.hardware.HardwareReport.Form;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * A Linux machine's nearest to what a Mac reports: the board's or firmware's product name, the processor's name, its physical cores by kind
 * where the kernel tells kinds apart. GPU cores and memory bandwidth are not known.
 *
 * @param files the kernel's own
 * @param fallback gives the chip's name, and cores and memory where the files do not
 */
record LinuxHardware(LinuxFiles files, MachineProbe fallback) implements HardwareProbe {
    private static final String CPUS = "sys/devices/system/cpu/";
    private static final String DMI = "sys/class/dmi/id/";
    /** Chassis types of DMTF DSP0134, 7.4.1, that are carried around. */
    private static final Set<Long> LAPTOPS = Set.of(8L, 9L, 10L, 11L, 14L, 30L, 31L, 32L);
    private static final Set<Long> DESKTOPS = Set.of(3L, 4L, 5L, 6L, 7L, 13L, 15L, 16L, 17L, 23L, 35L, 36L);
    /** What firmware says when nobody filled the field in. */
    private static final Pattern NOTHING = Pattern.compile("(?i)none|unknown|default string|not (specified|applicable|available)"
            + "|to be filled.*|system (product name|serial number)|0+|x+|-+|\\.+");
    private static final Pattern HYPERVISORS =
            Pattern.compile("QEMU|KVM|VMware|Xen|Parallels|VirtualBox|Virtual Machine|Apple Virtualization");
    private static final Pattern KIBIBYTES = Pattern.compile("(\\d{1,15}) kB");

    @Override
    public HardwareReport report() {
        return new HardwareReport(
                firmware("product_name").or(() -> files.text("sys/firmware/devicetree/base/model")).orElse(""),
                form(),
                Chip.named(files.value("proc/cpuinfo", "model name").orElseGet(() -> fallback.machine().chip())),
                cores().orElseGet(this::fallbackCores),
                OptionalInt.empty(),
                memoryBytes(),
                OptionalDouble.empty(),
                firmware("product_serial").or(() -> files.text("sys/firmware/devicetree/base/serial-number")),
                OsVersion.ofLinux(osRelease(), files.text("proc/sys/kernel/osrelease").orElse("")),
                false);
    }

    /** The serial number's file is only for root. */
    private Optional<String> firmware(String name) {
        return files.text(DMI + name).filter(text -> !NOTHING.matcher(text).matches());
    }

    private Form form() {
        if (isVirtual(files).orElse(false)) {
            return Form.VIRTUAL;
        }
        long chassis = files.number(DMI + "chassis_type").orElse(0);
        return LAPTOPS.contains(chassis) ? Form.LAPTOP : DESKTOPS.contains(chassis) ? Form.DESKTOP : Form.UNKNOWN;
    }

    /**
     * Returns whether Linux runs on a hypervisor: x86 processors say so in their flags; on others a trace that hypervisors leave proves
     * it, and its absence proves nothing.
     */
    static Optional<Boolean> isVirtual(LinuxFiles files) {
        Optional<String> flags = files.value("proc/cpuinfo", "flags");
        if (flags.isPresent()) {
            return flags.map(text -> List.of(text.split("\\s+")).contains("hypervisor"));
        }
        boolean trace = files.exists("sys/hypervisor/type") || files.exists("sys/firmware/devicetree/base/hypervisor")
                || HYPERVISORS.matcher(files.text(DMI + "sys_vendor").orElse("")).lookingAt()
                || HYPERVISORS.matcher(files.text(DMI + "product_name").orElse("")).lookingAt();
        return trace ? Optional.of(true) : Optional.empty();
    }

    private long memoryBytes() {
        return files.value("proc/meminfo", "MemTotal").map(KIBIBYTES::matcher).filter(found -> found.matches())
                .map(found -> Long.parseLong(found.group(1)) << 10).filter(bytes -> bytes > 0 && bytes <= HardwareReport.MOST_MEMORY_BYTES)
                .orElseGet(() -> fallback.machine().memoryBytes());
    }

    private Map<String, String> osRelease() {
        var values = new HashMap<String, String>();
        files.text("etc/os-release").or(() -> files.text("usr/lib/os-release")).ifPresent(text -> text.lines().forEach(line -> {
            String[] parts = line.split("=", 2);
            if (parts.length == 2) {
                values.put(parts[0].strip(), parts[1].strip().replaceAll("^[\"']|[\"']$", ""));
            }
        }));
        return values;
    }

    /**
     * Counts physical cores, each by the first of its threads. ARM kernels give each a capacity; an Intel processor of two kinds has a
     * list of each ({@code cpu_core}, {@code cpu_atom}); all others are of one kind.
     */
    private Optional<Cores> cores() {
        Set<Integer> slow = cpuList(files.text("sys/devices/cpu_atom/cpus").orElse(""));
        var byCapacity = new TreeMap<Long, Integer>(Comparator.reverseOrder());
        for (String cpu : files.names(CPUS, "cpu\\d{1,5}")) {
            int number = Integer.parseInt(cpu.substring("cpu".length()));
            Set<Integer> siblings = cpuList(files.text(CPUS + cpu + "/topology/thread_siblings_list").orElse(""));
            if (siblings.isEmpty()) {
                continue; // switched off
            }
            if (siblings.stream().allMatch(sibling -> sibling >= number)) {
                byCapacity.merge(files.number(CPUS + cpu + "/cpu_capacity").orElse(slow.contains(number) ? 0 : 1), 1, Integer::sum);
            }
        }
        List<Integer> counts = new ArrayList<>(byCapacity.values());
        if (counts.isEmpty()) {
            return Optional.empty();
        }
        int total = counts.stream().mapToInt(Integer::intValue).sum();
        return Optional.of(kinds(total, counts.getFirst()));
    }

    private Cores fallbackCores() {
        Machine machine = fallback.machine();
        return kinds(machine.physicalCores(), machine.performanceCores());
    }

    private static Cores kinds(int total, int fastest) {
        return new Cores(fastest == total
                ? List.of(new Cores.Kind("", total))
                : List.of(new Cores.Kind("Performance", fastest), new Cores.Kind("Efficiency", total - fastest)));
    }

    /** Takes {@code 0-3,8}; what is no such list is empty. */
    static Set<Integer> cpuList(String text) {
        var numbers = new HashSet<Integer>();
        for (String range : text.split(",")) {
            if (!range.matches("\\d{1,5}(-\\d{1,5})?")) {
                return Set.of();
            }
            String[] ends = range.split("-");
            int last = Integer.parseInt(ends[ends.length - 1]);
            for (int number = Integer.parseInt(ends[0]); number <= last; number++) {
                numbers.add(number);
            }
        }
        return numbers;
    }
}
