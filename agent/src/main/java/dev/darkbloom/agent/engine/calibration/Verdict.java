package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import java.util.Comparator;
import java.util.List;

/**
 * Which candidate is taken.
 *
 * @param pick the candidate
 * @param speedup cost of the settings in use over the cost of {@code pick}; below 1 where a quieter setting is a little slower
 * @param spread how far visits to the same settings lay apart, as a share
 * @param isNoise whether they lay so far apart that nothing follows from them; {@code pick} is what was in use then
 */
record Verdict(ComputeSettings pick, double speedup, double spread, boolean isNoise) {
    /** Visits to the same settings that differ by more than this are noise. */
    static final double MOST_SPREAD = 0.25;

    /** Fewer threads first, then threads that sleep more; among equals the order of the trials, which begins with what is in use. */
    private static final Comparator<Trial> QUIETEST =
            Comparator.<Trial>comparingInt(trial -> trial.settings.threads()).thenComparingInt(trial -> trial.settings.poll());

    /**
     * Judges trials of one choice: the quietest candidate is taken unless another one costs less by clearly more than the spread.
     *
     * @param trials at least one, each with as many visits; first the settings in use
     * @param leastGain share of the cost that is "clearly less" where the spread is smaller
     */
    static Verdict of(List<Trial> trials, double leastGain) {
        Trial current = trials.getFirst();
        Trial best = trials.stream().min(Comparator.comparingDouble(Trial::typical)).orElseThrow();
        double noise = Math.max(current.spread(), best.spread());
        double enough = 1 + Math.max(leastGain, noise);
        Trial pick = trials.stream().sorted(QUIETEST).filter(trial -> trial.typical() <= best.typical() * enough).findFirst().orElseThrow();
        double spread = Math.max(noise, pick.spread());
        return spread > MOST_SPREAD
                ? new Verdict(current.settings, 1, spread, true)
                : new Verdict(pick.settings, current.typical() / pick.typical(), spread, false);
    }
}
