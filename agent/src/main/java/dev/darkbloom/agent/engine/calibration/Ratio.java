package dev.darkbloom.agent.engine.calibration;

import java.util.Arrays;
import java.util.List;

/**
 * How much more one candidate costs than another, by visits that were made in turn. Each round is compared in itself: a machine that is
 * slow for a while is slow for both.
 *
 * @param median cost of the one over cost of the other
 * @param spread how far apart rounds lie, as a share; where there are four or more, a quarter of them are passed over, those that would widen
 *     it most
 * @param doubt by how much more than 1 the median has to be before one can say that the one costs more, as a share: the spread where there
 *     are six rounds; more of it where there are fewer, since two rounds that agree may do so by chance, less where there are more
 */
record Ratio(double median, double spread, double doubt) {
    private static final double ROUNDS_FOR_SPREAD = 6;

    /**
     * Compares.
     *
     * @param costs of the one, round by round; positive, at least two
     * @param others of the other one, in the same rounds
     */
    static Ratio of(List<Double> costs, List<Double> others) {
        int rounds = costs.size();
        double[] ratios = new double[rounds];
        for (int round = 0; round < rounds; round++) {
            ratios[round] = costs.get(round) / others.get(round);
        }
        Arrays.sort(ratios);
        int counted = rounds - rounds / 4;
        double spread = Double.MAX_VALUE;
        for (int first = 0; first + counted <= rounds; first++) {
            spread = Math.min(spread, ratios[first + counted - 1] / ratios[first] - 1);
        }
        double median = Math.sqrt(ratios[(rounds - 1) / 2] * ratios[rounds / 2]);
        return new Ratio(median, spread, spread * (ROUNDS_FOR_SPREAD - 1) / (rounds - 1));
    }

    /** Returns whether the one costs more than the other beyond doubt, by {@code leastGain} at least. */
    boolean isClearlyMore(double leastGain) {
        return median > 1 + Math.max(leastGain, doubt);
    }
}
