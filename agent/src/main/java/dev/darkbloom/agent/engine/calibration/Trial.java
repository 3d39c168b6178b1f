package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import java.util.ArrayList;
import java.util.List;

/** One candidate and what the visit to it cost in each round; lower is better. */
final class Trial {
    final ComputeSettings settings;
    private final List<Double> costs = new ArrayList<>();
    private long nanos;

    Trial(ComputeSettings settings) {
        this.settings = settings;
    }

    /** Takes the cost of a visit, and the nanoseconds that the visit took in all. */
    void add(double cost, long visitNanos) {
        costs.add(cost);
        nanos = visitNanos;
    }

    double lastCost() {
        return costs.getLast();
    }

    /** Returns the nanoseconds that the last visit took. */
    long nanos() {
        return nanos;
    }

    /** Returns how much more this one costs than {@code other}, which was visited in the same rounds. */
    Ratio over(Trial other) {
        return Ratio.of(costs, other.costs);
    }
}
