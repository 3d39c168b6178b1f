package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.within;

import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MacMetricsTest {
    private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");
    private static final String COOL = "com.apple.system.thermalpressurelevel 0\n";

    @ParameterizedTest
    @CsvSource({
        // active, wired and compressed pages by those and inactive, speculative and free ones
        "m4-mac-mini-16gb/vm_stat.txt, 602861, 1013631",
        "common/memory/reconstructed-vm_stat-128gb-idle.txt, 1770000, 8242000",
        "common/memory/reconstructed-vm_stat-128gb-model-wired.txt, 7212000, 7892000",
        "common/memory/reconstructed-vm_stat-16gb-swapping.txt, 806000, 1015800"})
    void memoryPressureIsWhatIsHeldByAllThereIs(String recording, double held, double all) {
        assertThat(MacMetrics.memoryPressure(RecordedMac.text(recording)).orElseThrow()).isCloseTo(held / all, within(1e-9));
    }

    @Test
    void memoryPressureNeedsEveryNumber() {
        String whole = RecordedMac.text("m4-mac-mini-16gb/vm_stat.txt");

        assertThat(MacMetrics.memoryPressure(whole.replace("Pages speculative", "Pages guessed"))).isEmpty();
        assertThat(MacMetrics.memoryPressure(whole.replace("281638.", "many"))).isEmpty();
        assertThat(MacMetrics.memoryPressure(whole.substring(0, 700))).as("the compressor is further down").isEmpty();
        assertThat(MacMetrics.memoryPressure(whole.replaceAll("\\d+\\.", "0."))).isEmpty();
        assertThat(MacMetrics.memoryPressure("")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"0, NOMINAL", "1, FAIR", "2, SERIOUS", "3, CRITICAL", "4, CRITICAL"})
    void thePressureLevelIsTheThermalState(int level, ThermalState state) {
        Thermal thermal = MacMetrics.thermal("com.apple.system.thermalpressurelevel " + level + "\n", "");

        assertThat(thermal).isEqualTo(Thermal.measured(state, "thermal pressure level"));
    }

    @Test
    void recordedPressureLevelsAreRead() {
        assertThat(MacMetrics.thermal(RecordedMac.text("common/thermal/notifyutil-thermal-nominal.txt"), "").state())
                .isEqualTo(ThermalState.NOMINAL);
        assertThat(MacMetrics.thermal(RecordedMac.text("common/thermal/reconstructed-notifyutil-thermal-heavy.txt"), "").state())
                .isEqualTo(ThermalState.SERIOUS);
    }

    @ParameterizedTest
    @CsvSource({"100, NOMINAL", "99, FAIR", "80, FAIR", "79, SERIOUS", "50, SERIOUS", "49, CRITICAL", "0, CRITICAL"})
    void aSpeedLimitIsTheThermalStateAsTheOriginalProviderHasIt(int percent, ThermalState state) {
        String output = RecordedMac.text("common/pmset/therm-cpu-power-notify.txt")
                .replace("Speed_Limit \t= 100", "Speed_Limit \t= " + percent);

        assertThat(output).contains("Speed_Limit \t= " + percent + "\n");
        assertThat(MacMetrics.thermal("", output)).isEqualTo(Thermal.measured(state, "pmset -g therm"));
        assertThat(MacMetrics.thermal(COOL, output).state()).as("the worse of the two").isEqualTo(state);
    }

    @Test
    void aWarningIsSeriousAndALevelThatMeansNothingIsNone() {
        String warning = RecordedMac.text("common/pmset/reconstructed-therm-warning-level.txt");

        assertThat(MacMetrics.thermal(COOL, warning)).isEqualTo(Thermal.measured(ThermalState.SERIOUS, "pmset -g therm"));
        assertThat(MacMetrics.thermal("com.apple.system.thermalpressurelevel 4", warning).state()).isEqualTo(ThermalState.CRITICAL);
        for (String level : new String[] {"0", "128", "255"}) {
            assertThat(MacMetrics.thermal("", warning.replace("= 70", "= " + level)).isMeasured()).as(level).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"common/pmset/reconstructed-therm-notes.txt", "common/pmset/reconstructed-therm-error.txt",
        "m5-macbook-pro-14-24gb/reconstructed-pmset-g-therm.txt"})
    void aToolThatHasRecordedNothingProvesNothing(String recording) {
        Thermal alone = MacMetrics.thermal("", RecordedMac.text(recording));

        assertThat(alone.state()).isEqualTo(ThermalState.NOMINAL);
        assertThat(alone.isMeasured()).isFalse();
        assertThat(MacMetrics.thermal(COOL, RecordedMac.text(recording)).isMeasured()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "com.apple.system.thermalpressurelevel 9", "com.apple.system.thermalpressurelevel", "Failed", "12"})
    void aLevelThatNobodyKnowsIsNotMeasured(String output) {
        assertThat(MacMetrics.thermal(output, "").isMeasured()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"lowpowermode         1, true", "lowpowermode         0, false",
        "powermode            1, true", "powermode            0, false", "powermode            2, false"})
    void theLowPowerModeIsReadUnderBothItsNames(String line, boolean on) {
        String settings = "System-wide power settings:\nCurrently in use:\n standby              1\n " + line + "\n womp 1\n";

        assertThat(MacMetrics.lowPowerMode(settings)).contains(on);
    }

    @Test
    void aMacWithoutALowPowerModeSaysNothingOfIt() {
        assertThat(MacMetrics.lowPowerMode("Currently in use:\n standby              1\n")).isEmpty();
        assertThat(MacMetrics.lowPowerMode(" lowpowermode         on\n")).isEmpty();
        assertThat(MacMetrics.lowPowerMode("")).isEmpty();
    }

    @Test
    void aMacsMetricsAreThoseOfItsTools() {
        var tools = new RecordedMac()
                .records(MacMetrics.VM_STAT, "m4-mac-mini-16gb", "vm_stat.txt")
                .records(MacMetrics.PRESSURE, "common/thermal", "notifyutil-thermal-nominal.txt")
                .records(MacMetrics.THERM, "common/pmset", "reconstructed-therm-notes.txt")
                .records(MacMetrics.BATTERY, "common/pmset", "batt-discharging.txt")
                .prints(MacMetrics.SETTINGS, " lowpowermode         1\n");

        SystemMetrics metrics = new MacMetrics(tools, () -> 5, 10, InstantSource.fixed(NOW)).metrics();

        assertThat(metrics.memoryPressure().orElseThrow()).isCloseTo(0.595, within(0.001));
        assertThat(metrics.cpuUse()).hasValue(0.5);
        assertThat(metrics.thermal().state()).isEqualTo(ThermalState.NOMINAL);
        assertThat(metrics.lowPowerMode()).contains(true);
        assertThat(metrics.power()).isEqualTo(new PowerState(PowerState.Source.BATTERY, OptionalInt.of(83)));
        assertThat(metrics.measuredAt()).isEqualTo(NOW);
    }

    @Test
    void aMacWithoutToolsKnowsNothing() {
        SystemMetrics metrics = new MacMetrics(new RecordedMac(), () -> -1, 10, InstantSource.fixed(NOW)).metrics();

        assertThat(metrics.memoryPressure()).isEmpty();
        assertThat(metrics.cpuUse()).isEmpty();
        assertThat(metrics.thermal().isMeasured()).isFalse();
        assertThat(metrics.lowPowerMode()).isEqualTo(Optional.empty());
        assertThat(metrics.power()).isEqualTo(PowerState.UNKNOWN);
    }

    @Test
    void moreLoadThanProcessorsIsAllOfThem() {
        assertThat(SystemMetrics.cpuUse(25, 10)).hasValue(1);
        assertThat(SystemMetrics.cpuUse(0, 10)).hasValue(0);
        assertThat(SystemMetrics.cpuUse(1, 0)).isEmpty();
        assertThat(SystemMetrics.cpuUse(Double.NaN, 4)).isEmpty();
    }

    @Test
    void outputsOfAnyLengthAreRead() {
        for (String garbage : new String[] {"\"".repeat(200_000), "a:".repeat(100_000), "=".repeat(200_000), " ".repeat(200_000),
            "\"a\" : \"" + "\\".repeat(200_000)}) {
            assertThatCode(() -> {
                MacMetrics.memoryPressure(garbage);
                MacMetrics.thermal(garbage, garbage);
                PmsetOutput.parse(garbage);
            }).doesNotThrowAnyException();
        }
    }
}
