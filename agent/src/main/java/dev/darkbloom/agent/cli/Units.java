package dev.darkbloom.agent.cli;

import java.time.Duration;
import java.util.Locale;

/** Numbers as people read them. */
final class Units {
    private static final String[] BYTE_UNITS = {"B", "KiB", "MiB", "GiB", "TiB"};

    private Units() {}

    /** Returns {@code 1.9 GiB}. */
    static String bytes(long bytes) {
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, value < 10 ? "%.1f %s" : "%.0f %s", value, BYTE_UNITS[unit]);
    }

    /** Returns {@code 32,768}. */
    static String count(long count) {
        return String.format(Locale.ROOT, "%,d", count);
    }

    /** Returns a rate with three or more digits: {@code 8.31}, {@code 83.1}, {@code 1,234}. */
    static String rate(double perSecond) {
        String format = perSecond < 10 ? "%.2f" : perSecond < 100 ? "%.1f" : "%,.0f";
        return String.format(Locale.ROOT, format, perSecond);
    }

    /** Returns {@code 3 d 4 h}, {@code 4 h 5 min}, {@code 5 min} or {@code 6 s}. */
    static String time(Duration time) {
        if (time.toDays() > 0) {
            return time.toDays() + " d " + time.toHoursPart() + " h";
        }
        if (time.toHours() > 0) {
            return time.toHours() + " h " + time.toMinutesPart() + " min";
        }
        return time.toMinutes() > 0 ? time.toMinutes() + " min" : time.toSeconds() + " s";
    }
}
