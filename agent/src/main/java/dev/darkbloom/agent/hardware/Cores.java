package dev.darkbloom.agent.hardware;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A machine's physical cores, by kind.
 *
 * @param kinds the fastest first; at least one
 */
public record Cores(List<Kind> kinds) {
    /**
     * Cores that are alike.
     *
     * @param name as the system calls them, which tells little: "Performance" is an M1's fastest kind and an M5 Pro's slower one
     * @param count at least 1
     */
    public record Kind(String name, int count) {
        public Kind {
            if (count < 1) {
                throw new IllegalArgumentException(count + " cores called " + name);
            }
        }
    }

    public Cores {
        kinds = List.copyOf(kinds);
        if (kinds.isEmpty()) {
            throw new IllegalArgumentException("a machine without cores");
        }
    }

    /** Returns how many there are of every kind. */
    public int total() {
        return kinds.stream().mapToInt(Kind::count).sum();
    }

    /** Returns those of the fastest kind, all of them where there is one kind. */
    public int performance() {
        return kinds.getFirst().count();
    }

    /** Returns those of any slower kind. */
    public int efficiency() {
        return total() - performance();
    }

    /** Returns {@code 6 Super + 12 Performance}. */
    @Override
    public String toString() {
        return kinds.stream().map(kind -> (kind.count() + " " + kind.name()).strip()).collect(Collectors.joining(" + "));
    }
}
