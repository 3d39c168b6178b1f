package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LinuxMetricsTest {
    private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");

    @TempDir
    Path root;

    @Test
    void memoryPressureIsWhatIsNotAvailable() throws IOException {
        write("proc/meminfo", "MemTotal:       8000000 kB\nMemFree:         100000 kB\nMemAvailable:    2000000 kB\n");

        assertThat(metrics().memoryPressure().orElseThrow()).isCloseTo(0.75, within(1e-9));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: 8000000 kB\n",
        "MemTotal: 8 GB\nMemAvailable: 1 GB\n", "MemTotal"})
    void memoryThatIsNotCountedHasNoPressure(String meminfo) throws IOException {
        write("proc/meminfo", meminfo);

        assertThat(metrics().memoryPressure()).isEmpty();
    }

    @Test
    void cpuUseIsTheLoadByAllProcessorsThatAreOn() throws IOException {
        write("proc/loadavg", "2.00 1.14 0.58 3/123 16133\n");
        write("sys/devices/system/cpu/online", "0-3,6-9\n");

        assertThat(metrics().cpuUse()).hasValue(0.25);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "busy", "-1.00 0.00 0.00", "NaN"})
    void aLoadThatIsNoNumberIsUnknown(String loadavg) throws IOException {
        write("proc/loadavg", loadavg);
        write("sys/devices/system/cpu/online", "0-3\n");

        assertThat(metrics().cpuUse()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"60000, NOMINAL", "84999, NOMINAL", "85000, FAIR", "89999, FAIR", "90000, SERIOUS", "99999, SERIOUS", "100000, CRITICAL"})
    void theThermalStateIsHowFarAZoneIsFromItsTripPoints(long temperature, ThermalState state) throws IOException {
        zone(0, "x86_pkg_temp", temperature, "active", 40_000, "passive", 90_000, "critical", 100_000);

        assertThat(metrics().thermal()).isEqualTo(Thermal.measured(state, "thermal_zone0 (x86_pkg_temp)"));
    }

    @Test
    void theHottestZoneCounts() throws IOException {
        zone(0, "acpitz", 27_800, "critical", 110_000);
        zone(1, "soc", 96_000, "passive", 95_000);
        zone(2, "nvme", 30_000, "hot", 80_000);

        assertThat(metrics().thermal()).isEqualTo(Thermal.measured(ThermalState.SERIOUS, "thermal_zone1 (soc)"));
    }

    @Test
    void zonesWithoutTripPointsAreNoSensor() throws IOException {
        zone(0, "iwlwifi_1", 95_000);
        zone(1, "acpitz", 95_000, "critical", -274_000, "active", 40_000);
        zone(2, "broken", 95_000, "passive", 90_000);
        write("sys/class/thermal/thermal_zone2/temp", "unavailable\n");

        Thermal thermal = metrics().thermal();

        assertThat(thermal.state()).isEqualTo(ThermalState.NOMINAL);
        assertThat(thermal.isMeasured()).isFalse();
        assertThat(thermal.source()).isEqualTo("no thermal zone with a trip point");
    }

    @Test
    void theLowPowerProfileIsTheNearestToAMacsMode() throws IOException {
        assertThat(metrics().lowPowerMode()).isEmpty();
        write("sys/firmware/acpi/platform_profile", "low-power\n");
        assertThat(metrics().lowPowerMode()).contains(true);
        write("sys/firmware/acpi/platform_profile", "balanced\n");
        assertThat(metrics().lowPowerMode()).contains(false);
    }

    @Test
    void aSystemThatSaysNothingIsUnknown() {
        assertThat(metrics()).isEqualTo(SystemMetrics.unknown("no thermal zone with a trip point", NOW));
    }

    private SystemMetrics metrics() {
        return new LinuxMetrics(new LinuxFiles(root), () -> PowerState.UNKNOWN, InstantSource.fixed(NOW)).metrics();
    }

    /** Makes a zone with trip points: a kind and a temperature each. */
    private void zone(int number, String type, long temperature, Object... trips) throws IOException {
        String zone = "sys/class/thermal/thermal_zone" + number + "/";
        write(zone + "type", type + "\n");
        write(zone + "temp", temperature + "\n");
        for (int trip = 0; trip < trips.length; trip += 2) {
            write(zone + "trip_point_" + trip / 2 + "_type", trips[trip] + "\n");
            write(zone + "trip_point_" + trip / 2 + "_temp", trips[trip + 1] + "\n");
        }
    }

    private void write(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
