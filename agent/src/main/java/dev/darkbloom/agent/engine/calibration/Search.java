package dev.darkbloom.agent.engine.calibration;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/**
 * What a calibration may look for.
 *
 * @param open choices that nobody has made yet; others stay as they are
 * @param mostThreads threads that are never passed: the performance cores, of which the rest of the program needs some as well
 * @param budget how long it may take, about
 */
public record Search(Set<Choice> open, int mostThreads, Duration budget) {
    public Search {
        open = open.isEmpty() ? Set.of() : Set.copyOf(EnumSet.copyOf(open));
        if (mostThreads < 1 || !budget.isPositive()) {
            throw new IllegalArgumentException(mostThreads + " threads, a budget of " + budget);
        }
    }
}
