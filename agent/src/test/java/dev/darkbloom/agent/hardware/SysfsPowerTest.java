package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.hardware.PowerState.Source;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SysfsPowerTest {
    @TempDir
    Path root;

    @Test
    void aLaptopOnItsBattery() throws IOException {
        supply("AC", Map.of("type", "Mains", "online", "0"));
        supply("BAT0", Map.of("type", "Battery", "status", "Discharging", "capacity", "57"));

        assertThat(read()).isEqualTo(new PowerState(Source.BATTERY, OptionalInt.of(57)));
    }

    @Test
    void aLaptopOnTheMainsWhateverItsBatteryDoes() throws IOException {
        supply("AC", Map.of("type", "Mains", "online", "1"));
        for (String status : new String[] {"Charging", "Full", "Not charging", "Unknown"}) {
            supply("BAT0", Map.of("type", "Battery", "status", status, "capacity", "80"));

            assertThat(read()).as(status).isEqualTo(new PowerState(Source.MAINS, OptionalInt.of(80)));
        }
    }

    @Test
    void aMouseThatRunsOutIsNotTheMachine() throws IOException {
        supply("hidpp_battery_0", Map.of("type", "Battery", "scope", "Device", "status", "Discharging", "capacity", "20"));

        assertThat(read()).isEqualTo(new PowerState(Source.MAINS, OptionalInt.empty()));
    }

    @Test
    void aDesktopOnAUps() throws IOException {
        supply("ups", Map.of("type", "UPS", "status", "Discharging", "capacity", "74"));

        assertThat(read()).isEqualTo(new PowerState(Source.UPS, OptionalInt.of(74)));
    }

    @Test
    void aBatteryThatSaysNothingIsUnknown() throws IOException {
        supply("BAT0", Map.of("type", "Battery", "status", "Unknown", "capacity", "many"));

        assertThat(read()).isEqualTo(PowerState.UNKNOWN);
    }

    @Test
    void aSystemWithoutSuchADirectoryIsUnknown() {
        assertThat(new SysfsPower(root.resolve("none")).read()).isEqualTo(PowerState.UNKNOWN);
    }

    private PowerState read() {
        return new SysfsPower(root).read();
    }

    private void supply(String name, Map<String, String> values) throws IOException {
        Path directory = Files.createDirectories(root.resolve(name));
        values.forEach((key, value) -> {
            try {
                Files.writeString(directory.resolve(key), value + "\n");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }
}
