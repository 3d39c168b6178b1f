package dev.darkbloom.agent.hardware;

import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.DoubleSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks a Mac's tools how it fares.
 *
 * @param loadAverage of the last minute; negative when it is not known
 * @param processors that the load average counts
 */
record MacMetrics(ToolRunner tools, DoubleSupplier loadAverage, int processors, InstantSource clock) implements MetricsProbe {
    static final String[] VM_STAT = {"/usr/bin/vm_stat"};
    static final String[] PRESSURE = {"/usr/bin/notifyutil", "-g", "com.apple.system.thermalpressurelevel"};
    static final String[] THERM = {"/usr/bin/pmset", "-g", "therm"};
    static final String[] SETTINGS = {"/usr/bin/pmset", "-g"};
    static final String[] BATTERY = {"/usr/bin/pmset", "-g", "batt"};

    private static final Pattern PRESSURE_LEVEL = Pattern.compile("com\\.apple\\.system\\.thermalpressurelevel (\\d)\\s*");
    private static final Pattern SPEED_LIMIT = Pattern.compile("CPU_Speed_Limit\\s+= (\\d{1,3})\\b");
    private static final Pattern WARNING_LEVEL = Pattern.compile("Thermal Warning Level = (\\d{1,3})\\b");
    /** Both keys are in use: the second came with the choice between low, automatic and high power, of which 1 is low. */
    private static final Pattern LOW_POWER = Pattern.compile("^\\s*(?:lowpowermode|powermode)\\s+(\\d)\\s*$", Pattern.MULTILINE);

    @Override
    public SystemMetrics metrics() {
        return new SystemMetrics(
                memoryPressure(tools.run(VM_STAT).output()),
                SystemMetrics.cpuUse(loadAverage.getAsDouble(), processors),
                thermal(tools.run(PRESSURE).output(), tools.run(THERM).output()),
                lowPowerMode(tools.run(SETTINGS).output()),
                PmsetOutput.parse(tools.run(BATTERY).output()),
                clock.instant());
    }

    /**
     * Returns what {@code vm_stat} counts as active, wired or held by the compressor, as a share of that and of what is inactive,
     * speculative or free: the original provider's formula. Empty unless all six are there.
     */
    static OptionalDouble memoryPressure(String vmStat) {
        var fields = Fields.parse(vmStat);
        double used = pages(fields, "Pages active") + pages(fields, "Pages wired down") + pages(fields, "Pages occupied by compressor");
        double all = used + pages(fields, "Pages inactive") + pages(fields, "Pages speculative") + pages(fields, "Pages free");
        return all > 0 ? OptionalDouble.of(used / all) : OptionalDouble.empty(); // not a number is not above zero
    }

    /** Numbers end in a full stop. */
    private static double pages(Fields fields, String name) {
        return fields.text(name).filter(text -> text.matches("\\d{1,18}\\.")).map(Double::parseDouble).orElse(Double.NaN);
    }

    /**
     * Returns the worse of two voices: the kernel's pressure level, and what {@code pmset} has recorded. The first answers 0 also on a
     * system that lacks the key; the second almost always says that nothing was recorded, which proves nothing.
     *
     * <p>{@code ProcessInfo.thermalState} is no third: it calls levels 1 and 2 both fair, and token speed has halved at 2 already.
     */
    static Thermal thermal(String notifyutil, String pmsetTherm) {
        Optional<ThermalState> pressure = pressure(notifyutil);
        Optional<ThermalState> recorded = recorded(pmsetTherm);
        if (pressure.isEmpty() && recorded.isEmpty()) {
            return Thermal.assumed("neither notifyutil nor pmset says");
        }
        boolean isWorse = recorded.isPresent() && (pressure.isEmpty() || recorded.get().compareTo(pressure.get()) > 0);
        return isWorse ? Thermal.measured(recorded.get(), "pmset -g therm") : Thermal.measured(pressure.get(), "thermal pressure level");
    }

    /** 0 nominal, 1 moderate, 2 heavy, 3 trapping, 4 sleeping (OSThermalNotification.h). */
    private static Optional<ThermalState> pressure(String notifyutil) {
        Matcher found = PRESSURE_LEVEL.matcher(notifyutil);
        return !found.matches() ? Optional.empty() : switch (found.group(1)) {
            case "0" -> Optional.of(ThermalState.NOMINAL);
            case "1" -> Optional.of(ThermalState.FAIR);
            case "2" -> Optional.of(ThermalState.SERIOUS);
            case "3", "4" -> Optional.of(ThermalState.CRITICAL);
            default -> Optional.empty();
        };
    }

    private static Optional<ThermalState> recorded(String pmsetTherm) {
        Optional<ThermalState> hottest = Optional.empty();
        Matcher limit = SPEED_LIMIT.matcher(pmsetTherm);
        if (limit.find()) {
            int percent = Integer.parseInt(limit.group(1));
            hottest = Optional.of(percent >= 100 ? ThermalState.NOMINAL
                    : percent >= 80 ? ThermalState.FAIR
                    : percent >= 50 ? ThermalState.SERIOUS : ThermalState.CRITICAL);
        }
        Matcher warning = WARNING_LEVEL.matcher(pmsetTherm);
        // 0 normal, 128 not monitored, 255 unknown (IOPM.h); any other is a warning, and which numbers mean danger differs between systems.
        if (warning.find() && !warning.group(1).matches("0|128|255")) {
            hottest = Optional.of(hottest.orElse(ThermalState.NOMINAL).orHotter(ThermalState.SERIOUS));
        }
        return hottest;
    }

    /** Returns what {@code pmset -g} says is in use now; empty on a Mac that has no such mode. */
    static Optional<Boolean> lowPowerMode(String pmset) {
        var levels = LOW_POWER.matcher(pmset).results().map(found -> found.group(1)).toList();
        return levels.isEmpty() ? Optional.empty() : Optional.of(levels.contains("1"));
    }
}
