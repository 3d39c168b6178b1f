package dev.darkbloom.agent.hardware;

import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * Reads the kernel's files. Linux has no low power mode of the machine as a whole; {@code platform_profile}, where the firmware offers
 * it, is the nearest.
 */
record LinuxMetrics(LinuxFiles files, PowerProbe power, InstantSource clock) implements MetricsProbe {
    private static final String THERMAL = "sys/class/thermal";
    /** So far below the first trip point a machine is warm; in thousandths of a degree, as the kernel counts. */
    private static final long WARM = 5_000;
    private static final Pattern KIBIBYTES = Pattern.compile("\\d{1,15} kB");

    @Override
    public SystemMetrics metrics() {
        return new SystemMetrics(memoryPressure(), cpuUse(), thermal(), lowPowerMode(), power.power(), clock.instant());
    }

    /** What is not available without swapping, by the kernel's own estimate. */
    private OptionalDouble memoryPressure() {
        double total = kibibytes("MemTotal");
        double available = kibibytes("MemAvailable");
        return total > 0 && available >= 0 ? OptionalDouble.of(Math.clamp(1 - available / total, 0, 1)) : OptionalDouble.empty();
    }

    private double kibibytes(String name) {
        return files.value("proc/meminfo", name).filter(text -> KIBIBYTES.matcher(text).matches())
                .map(text -> Double.parseDouble(text.substring(0, text.length() - " kB".length()))).orElse(Double.NaN);
    }

    /** The load average counts all of the machine, also inside a container that may use a part of it only. */
    private OptionalDouble cpuUse() {
        Optional<String> load = files.text("proc/loadavg").map(text -> text.split("\\s")[0])
                .filter(text -> text.matches("\\d{1,9}\\.\\d{1,9}"));
        int online = LinuxHardware.cpuList(files.text("sys/devices/system/cpu/online").orElse("")).size();
        return load.isEmpty() ? OptionalDouble.empty() : SystemMetrics.cpuUse(Double.parseDouble(load.get()), online);
    }

    /**
     * Compares each zone's temperature with its own trip points (kernel documentation, {@code driver-api/thermal/sysfs-api}); the hottest
     * zone counts. Fans start at {@code active} points, which say nothing of speed; at {@code passive} ones the machine is slowed down.
     */
    private Thermal thermal() {
        ThermalState hottest = null;
        String where = "";
        for (String zone : files.names(THERMAL, "thermal_zone\\d+")) {
            Optional<ThermalState> state = state(THERMAL + "/" + zone);
            if (state.isPresent() && (hottest == null || state.get().compareTo(hottest) > 0)) {
                hottest = state.get();
                where = zone + files.text(THERMAL + "/" + zone + "/type").map(type -> " (" + type + ")").orElse("");
            }
        }
        return hottest == null ? Thermal.assumed("no thermal zone with a trip point") : Thermal.measured(hottest, where);
    }

    private Optional<ThermalState> state(String zone) {
        OptionalLong temperature = files.number(zone + "/temp");
        ThermalState hottest = null;
        for (String file : files.names(zone, "trip_point_\\d+_temp")) {
            long trip = files.number(zone + "/" + file).orElse(0);
            String kind = files.text(zone + "/" + file.replace("_temp", "_type")).orElse("");
            // A point at or below 0 °C is one that the firmware left out.
            if (temperature.isPresent() && trip > 0 && (kind.equals("passive") || kind.equals("hot") || kind.equals("critical"))) {
                ThermalState state = temperature.getAsLong() >= trip ? kind.equals("passive") ? ThermalState.SERIOUS : ThermalState.CRITICAL
                        : temperature.getAsLong() >= trip - WARM ? ThermalState.FAIR : ThermalState.NOMINAL;
                hottest = hottest == null ? state : hottest.orHotter(state);
            }
        }
        return Optional.ofNullable(hottest);
    }

    private Optional<Boolean> lowPowerMode() {
        return files.text("sys/firmware/acpi/platform_profile").map(profile -> profile.equals("low-power"));
    }
}
