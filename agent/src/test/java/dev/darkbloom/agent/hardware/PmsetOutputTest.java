package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.hardware.PowerState.Source;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PmsetOutputTest {
    @ParameterizedTest
    @CsvSource({
        "batt-ac-charged, MAINS, 100",
        "batt-charging-no-tab, MAINS, 34",
        "reconstructed-batt-ac-not-charging, MAINS, 80",
        "reconstructed-batt-finishing-charge, MAINS, 99",
        "batt-discharging, BATTERY, 83",
        "reconstructed-batt-discharging-no-estimate, BATTERY, 43",
        "reconstructed-batt-low-warning, BATTERY, 6",
        "reconstructed-batt-ups, UPS, 74"})
    void aMacWithABatteryNamesItsSourceAndCharge(String recording, Source source, int percent) throws IOException {
        assertThat(PmsetOutput.parse(recorded(recording))).isEqualTo(new PowerState(source, OptionalInt.of(percent)));
    }

    @Test
    void aDesktopHasNoBattery() throws IOException {
        assertThat(PmsetOutput.parse(recorded("reconstructed-batt-desktop"))).isEqualTo(new PowerState(Source.MAINS, OptionalInt.empty()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "No power sources\n", "Now drawing from 'Solar Power'\n", "Now drawing from"})
    void whatIsNotUnderstoodIsUnknownAndStopsNobody(String output) {
        assertThat(PmsetOutput.parse(output)).isEqualTo(PowerState.UNKNOWN);
        assertThat(PmsetOutput.parse(output).isLimited()).isFalse();
    }

    @Test
    void aBatteryAndAUpsRunOut() {
        assertThat(new PowerState(Source.BATTERY, OptionalInt.of(90)).isLimited()).isTrue();
        assertThat(new PowerState(Source.UPS, OptionalInt.empty()).isLimited()).isTrue();
        assertThat(new PowerState(Source.MAINS, OptionalInt.of(5)).isLimited()).isFalse();
    }

    private static String recorded(String name) throws IOException {
        try (InputStream in = PmsetOutputTest.class.getResourceAsStream("/mac/common/pmset/" + name + ".txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
