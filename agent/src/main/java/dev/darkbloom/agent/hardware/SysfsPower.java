package dev.darkbloom.agent.hardware;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * Linux's view of power, a directory for each supply under {@code /sys/class/power_supply} (kernel documentation, {@code
 * ABI/testing/sysfs-class-power}). Batteries of mice and headsets, whose scope is {@code Device}, say nothing about the machine.
 *
 * @param root the directory of the supplies; may be missing, as it is in containers
 */
record SysfsPower(Path root) {
    PowerState read() {
        List<Path> supplies;
        try (Stream<Path> all = Files.list(root)) {
            supplies = all.sorted().filter(supply -> !text(supply, "scope").equals("Device")).toList();
        } catch (IOException _) {
            return PowerState.UNKNOWN;
        }
        List<Path> batteries = supplies.stream().filter(supply -> text(supply, "type").equals("Battery")).toList();
        List<Path> upses = supplies.stream().filter(supply -> text(supply, "type").equals("UPS")).toList();
        if (upses.stream().anyMatch(SysfsPower::isDischarging)) {
            return new PowerState(PowerState.Source.UPS, level(upses));
        }
        // A charger that is too weak is online while the battery empties all the same.
        if (batteries.stream().anyMatch(SysfsPower::isDischarging)) {
            return new PowerState(PowerState.Source.BATTERY, level(batteries));
        }
        boolean mains = supplies.stream().anyMatch(supply -> text(supply, "online").equals("1"));
        boolean settled = batteries.stream().noneMatch(battery -> List.of("", "Unknown").contains(text(battery, "status")));
        return new PowerState(mains || settled ? PowerState.Source.MAINS : PowerState.Source.UNKNOWN, level(batteries));
    }

    private static boolean isDischarging(Path battery) {
        return text(battery, "status").equals("Discharging");
    }

    private static OptionalInt level(List<Path> batteries) {
        return batteries.stream().map(battery -> text(battery, "capacity")).filter(text -> text.matches("\\d{1,3}"))
                .mapToInt(text -> Math.min(100, Integer.parseInt(text))).findFirst();
    }

    /** Returns one of a supply's values; empty when it has none of that name. */
    private static String text(Path supply, String name) {
        try {
            return Files.readString(supply.resolve(name)).strip();
        } catch (IOException _) {
            return "";
        }
    }
}
