package dev.darkbloom.agent.hardware;

import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A machine's processor.
 *
 * @param name as the maker calls it: {@code Apple M4 Max}
 * @param family which of Apple's generations for Macs it is
 * @param tier how large it is within its generation
 */
public record Chip(String name, Family family, Tier tier) {
    private static final Pattern APPLE_M = Pattern.compile("Apple (M[1-6])(?: (Pro|Max|Ultra))?( \\(Virtual\\))?");
    /** A telephone's chip has "Pro" in its name as a telephone has; in a Mac it is the smallest. */
    private static final Pattern APPLE_A = Pattern.compile("Apple A\\d+(?: Pro)?");

    /** Apple's generations for Macs, in the protocol's words ({@code hardware.chip_family}). */
    public enum Family {
        M1("M1"), M2("M2"), M3("M3"), M4("M4"), M5("M5"), M6("M6"), UNKNOWN("Unknown");

        private final String word;

        Family(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    /** The sizes of a generation, in the protocol's words ({@code hardware.chip_tier}). */
    public enum Tier {
        BASE("Base"), PRO("Pro"), MAX("Max"), ULTRA("Ultra"), UNKNOWN("Unknown");

        private final String word;

        Tier(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    public Chip {
        Objects.requireNonNull(name);
        Objects.requireNonNull(family);
        Objects.requireNonNull(tier);
    }

    /**
     * Returns what a name tells. A virtual machine sees its host's generation and nothing of its size: the tier is unknown there. A
     * generation that is not in {@link Family} yet is unknown, however much its name looks like one.
     */
    public static Chip named(String name) {
        Matcher m = APPLE_M.matcher(name);
        if (m.matches()) {
            return new Chip(name, Family.valueOf(m.group(1)), m.group(3) == null ? tier(m.group(2)) : Tier.UNKNOWN);
        }
        return new Chip(name, Family.UNKNOWN, APPLE_A.matcher(name).matches() ? Tier.BASE : Tier.UNKNOWN);
    }

    private static Tier tier(String word) {
        return switch (word) {
            case null -> Tier.BASE;
            case "Pro" -> Tier.PRO;
            case "Max" -> Tier.MAX;
            case "Ultra" -> Tier.ULTRA;
            default -> throw new IllegalStateException(word);
        };
    }
}
