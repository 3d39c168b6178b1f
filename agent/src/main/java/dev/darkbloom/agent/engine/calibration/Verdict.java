package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import java.util.Comparator;
import java.util.List;

/**
 * Which candidate is taken.
 *
 * @param pick the candidate
 * @param speedup cost of the settings in use over the cost of {@code pick}; below 1 where a quieter setting is a little slower
 * @param spread how far rounds of the same comparison lay apart, as a share: the widest of those that {@code pick} stands in
 * @param certainty how sure that is
 */
record Verdict(ComputeSettings pick, double speedup, double spread, Certainty certainty) {
    /** Rounds that differ by more than this are noise, unless there are many of them or the candidates differ by even more. */
    static final double MOST_SPREAD = 0.25;
    /** Nothing is changed where the settings in use were so much slower than the pick in one round and not in another: something stood still. */
    private static final double STANDSTILL = 1;

    /** Whether more rounds might say something else. */
    enum Certainty {
        /** No. */
        CLEAR,
        /** What is in use stays because another candidate that looks better is not so beyond doubt. */
        DOUBTFUL,
        /** Rounds lie so far apart that nothing follows; {@code pick} is what is in use. */
        NOISE
    }

    /** Fewer threads first, then threads that sleep more; among equals the order of the trials, which begins with what is in use. */
    private static final Comparator<Trial> QUIETEST =
            Comparator.<Trial>comparingInt(trial -> trial.settings.threads()).thenComparingInt(trial -> trial.settings.poll());

    /**
     * Judges trials of one choice: the quietest candidate is taken that costs next to nothing more than the best one. The settings in use
     * have the benefit of the doubt.
     *
     * @param trials at least one, each with as many visits, at least two; first the settings in use
     * @param leastGain share of the cost that is more than next to nothing
     */
    static Verdict of(List<Trial> trials, double leastGain) {
        Trial current = trials.getFirst();
        Trial best = trials.stream().min(Comparator.comparingDouble(trial -> trial.over(current).median())).orElseThrow();
        Ratio currentOverBest = current.over(best);
        boolean keepsCurrent = !currentOverBest.isClearlyMore(leastGain);
        Trial pick = trials.stream().sorted(QUIETEST)
                .filter(trial -> trial == current ? keepsCurrent : trial.over(best).median() <= 1 + leastGain)
                .findFirst().orElseThrow();
        double spread = 0;
        boolean isNoise = current.over(pick).spread() > STANDSTILL;
        for (Trial other : trials) {
            Ratio others = other.over(pick);
            spread = Math.max(spread, others.spread());
            isNoise |= Math.min(others.spread(), others.doubt()) > MOST_SPREAD && !others.isClearlyMore(leastGain);
        }
        if (isNoise) {
            return new Verdict(current.settings, 1, spread, Certainty.NOISE);
        }
        boolean isDoubtful = pick == current && currentOverBest.median() > 1 + leastGain;
        return new Verdict(pick.settings, current.over(pick).median(), spread, isDoubtful ? Certainty.DOUBTFUL : Certainty.CLEAR);
    }

    boolean isNoise() {
        return certainty == Certainty.NOISE;
    }
}
