package dev.darkbloom.agent.hardware;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** What {@code sysctl NAME …} printed on a Mac: one {@code name: value} a line. Names that the kernel lacks are missing. */
record SysctlOutput(Map<String, String> values) {
    static SysctlOutput parse(String text) {
        var values = new LinkedHashMap<String, String>();
        text.lines().forEach(line -> {
            int colon = line.indexOf(": ");
            if (colon > 0) {
                values.put(line.substring(0, colon), line.substring(colon + 2).strip());
            }
        });
        return new SysctlOutput(Map.copyOf(values));
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    /** Returns a value that is there and not empty. */
    Optional<String> textIfAny(String name) {
        return Optional.ofNullable(values.get(name)).filter(value -> !value.isEmpty());
    }

    OptionalLong number(String name) {
        try {
            return values.containsKey(name) ? OptionalLong.of(Long.parseLong(values.get(name))) : OptionalLong.empty();
        } catch (NumberFormatException _) {
            return OptionalLong.empty();
        }
    }

    /**
     * Returns a Mac's machine. Level 0 is the fastest kind of core on every chip; the levels' names are not ("Performance" is level 0 on an
     * M1 and level 1 on an M5 Pro), so they are not asked.
     *
     * @param fallback gives what is missing
     */
    Machine machine(Machine fallback) {
        int physical = Math.toIntExact(number("hw.physicalcpu").orElse(fallback.physicalCores()));
        int fastest = Math.toIntExact(number("hw.perflevel0.physicalcpu").orElse(physical));
        return new Machine(
                text("machdep.cpu.brand_string", fallback.chip()),
                number("hw.memsize").orElse(fallback.memoryBytes()),
                Math.max(physical, fastest),
                fastest);
    }
}
