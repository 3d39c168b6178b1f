package dev.darkbloom.agent.hardware;

import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What {@code pmset -g batt} printed on a Mac. The first line names the source; a line for each battery follows, none on a desktop.
 *
 * <p>A power source's state ("charging", "finishing charge", "AC attached; not charging") and its estimate of minutes are not looked at: whether
 * the mains are there is on the first line, and an estimate may be missing.
 */
final class PmsetOutput {
    private static final Pattern SOURCE = Pattern.compile("^Now drawing from '([^']*)'");
    /** {@code  -InternalBattery-0 (id=22806627)	80%; …}; the gap before the number is a tab, or blanks in copies. */
    private static final Pattern LEVEL = Pattern.compile("^\\s*-.*\\(id=\\d+\\)\\s+(\\d{1,3})%;");

    private PmsetOutput() {}

    static PowerState parse(String text) {
        var source = PowerState.Source.UNKNOWN;
        OptionalInt level = OptionalInt.empty();
        for (String line : text.lines().toList()) {
            Matcher drawing = SOURCE.matcher(line);
            if (drawing.find()) {
                source = switch (drawing.group(1)) {
                    case "AC Power" -> PowerState.Source.MAINS;
                    case "Battery Power" -> PowerState.Source.BATTERY;
                    case "UPS Power" -> PowerState.Source.UPS;
                    default -> PowerState.Source.UNKNOWN;
                };
            }
            Matcher battery = LEVEL.matcher(line);
            if (battery.find() && level.isEmpty()) {
                level = OptionalInt.of(Math.min(100, Integer.parseInt(battery.group(1))));
            }
        }
        return new PowerState(source, level);
    }
}
