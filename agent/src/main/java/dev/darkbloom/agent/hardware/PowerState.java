package dev.darkbloom.agent.hardware;

import java.util.Objects;
import java.util.OptionalInt;

/**
 * Where the machine's power comes from.
 *
 * @param source what it draws from now
 * @param batteryPercent charge of its battery, or of the UPS that feeds it, 0 to 100; empty where there is none or it does not say
 */
public record PowerState(Source source, OptionalInt batteryPercent) {
    /** What power is drawn from. */
    public enum Source {
        MAINS,
        BATTERY,
        /** A battery beside the machine, because the mains have failed. */
        UPS,
        /** The system does not say. */
        UNKNOWN
    }

    /** Nothing is known. */
    public static final PowerState UNKNOWN = new PowerState(Source.UNKNOWN, OptionalInt.empty());

    public PowerState {
        Objects.requireNonNull(source);
        if (batteryPercent.isPresent() && (batteryPercent.getAsInt() < 0 || batteryPercent.getAsInt() > 100)) {
            throw new IllegalArgumentException("a battery at " + batteryPercent.getAsInt() + " %");
        }
    }

    /** Returns whether power is running out: the machine lives on its battery or on a UPS. */
    public boolean isLimited() {
        return source == Source.BATTERY || source == Source.UPS;
    }
}
