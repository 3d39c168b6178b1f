package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** One candidate and what each visit to it cost; lower is better. */
final class Trial {
    final ComputeSettings settings;
    private final List<Double> costs = new ArrayList<>();

    Trial(ComputeSettings settings) {
        this.settings = settings;
    }

    void add(double cost) {
        costs.add(cost);
        Collections.sort(costs);
    }

    /** Returns the median cost, of an even number the lower one: what else runs here makes a visit slower, never faster. */
    double typical() {
        return costs.get(middle());
    }

    /** Returns how far the visits lie apart, as a share of the fastest; the slowest of four or more are passed over. */
    double spread() {
        int last = costs.size() < 4 ? costs.size() - 1 : middle() + 1;
        return costs.get(last) / costs.getFirst() - 1;
    }

    private int middle() {
        return (costs.size() - 1) / 2;
    }
}
