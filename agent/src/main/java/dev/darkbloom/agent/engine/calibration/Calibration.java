package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.engine.calibration.Outcome.Chosen;
import dev.darkbloom.agent.engine.calibration.Outcome.Kept;
import dev.darkbloom.agent.engine.calibration.Outcome.Reason;
import dev.darkbloom.agent.engine.calibration.Verdict.Certainty;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * One search for the settings of one loaded model: choice by choice, each starting from what the ones before it found.
 *
 * <p>The candidates of a choice are visited in turn, round after round, forth and back, so that what else happens on the machine meets all of
 * them: rounds are compared in themselves, and what still differs from round to round shows as spread. Nothing is decided by fewer than two
 * rounds: a choice for which there is no time keeps its value, and so does one that stays open.
 */
@Confined("model-loader")
public final class Calibration {
    private static final int LEAST_ROUNDS = 2;
    private static final int ENOUGH_ROUNDS = 5;
    /** So many only where fewer have left open which candidate is better. */
    private static final int MOST_ROUNDS = 9;
    /** A choice that is still open may take so many times its share of the time. */
    private static final int MOST_SHARES = 2;
    /** A candidate that takes so many times as long as the best one is not visited again. */
    private static final double HOPELESS = 2;
    /** A choice that has begun may run over the budget by this share of it; what it needs was only an estimate. */
    private static final int GRACE_DIVISOR = 2;

    private final SpeedProbe probe;
    private final Search search;
    private final Predicate<ComputeSettings> fits;
    private final NanoClock clock;
    private final BooleanSupplier stop;
    private final long deadlineNanos;

    private ComputeSettings current;
    private double prefillNanosPerToken;

    private Calibration(SpeedProbe probe, ComputeSettings first, Search search, Predicate<ComputeSettings> fits, NanoClock clock,
            BooleanSupplier stop) {
        this.probe = probe;
        this.current = first;
        this.search = search;
        this.fits = fits;
        this.clock = clock;
        this.stop = stop;
        this.deadlineNanos = clock.nanoTime() + search.budget().toNanos();
    }

    /** The search was told to end. */
    private static final class CutOff extends Exception {
        private static final long serialVersionUID = 1;

        CutOff() {
            super("it was cut off", null, false, false);
        }
    }

    /**
     * Runs the search.
     *
     * @param runtime borrowed; contexts are opened on it one at a time and are closed when this returns
     * @param spec with which the model is to be served; its settings are the first ones, and what happens if nothing is found
     * @param fits whether there is memory for a context of {@code spec} with other settings; asked before such are tried
     * @param stop asked between visits; true ends the search
     */
    public static Outcome run(ModelRuntime runtime, ModelSpec spec, Search search, Predicate<ComputeSettings> fits, NanoClock clock,
            BooleanSupplier stop) {
        try (var probe = new SpeedProbe(runtime, spec, clock)) {
            if (!probe.hasRoom()) {
                return new Kept(Reason.TOO_SMALL, "a context of " + spec.contextTokensPerSequence() + " tokens is too small to measure in");
            }
            return new Calibration(probe, spec.compute(), search, fits, clock, stop).run();
        } catch (CutOff e) {
            return new Kept(Reason.CUT_OFF, "it was cut off");
        } catch (AgentException e) {
            return new Kept(Reason.FAILED, "measuring failed: " + e.getMessage());
        }
    }

    private Outcome run() throws CutOff {
        checkStop();
        probe.fit(current, deadlineNanos);
        ComputeSettings first = current;
        var measured = EnumSet.noneOf(Choice.class);
        boolean anyLeftOut = false;
        double noise = 0;
        double speedup = 1;
        double spread = 0;
        List<Choice> open = Arrays.stream(Choice.values()).filter(search.open()::contains).toList();
        for (int i = 0; i < open.size(); i++) {
            Choice choice = open.get(i);
            List<ComputeSettings> candidates = candidates(choice);
            if (candidates.size() < 2) {
                continue;
            }
            Optional<Verdict> verdict = decide(choice, candidates, open.size() - i);
            if (verdict.isEmpty()) {
                anyLeftOut = true;
            } else if (verdict.get().isNoise()) {
                noise = Math.max(noise, verdict.get().spread());
            } else {
                current = Candidates.taken(choice, current, verdict.get().pick());
                measured.add(choice);
                speedup *= verdict.get().speedup();
                spread = Math.max(spread, verdict.get().spread());
            }
        }
        if (noise > 0 && current.equals(first)) {
            return new Kept(Reason.NOISE, String.format(Locale.ROOT,
                    "comparing the same settings again differed by %.0f %%; something else was computing", 100 * noise));
        }
        if (measured.isEmpty() && anyLeftOut) {
            return new Kept(Reason.TOO_SLOW, "there was no time to measure anything twice within " + search.budget().toMillis() + " ms");
        }
        return new Chosen(current.withPrefillNanosPerToken(prefill()), speedup, spread, measured);
    }

    private List<ComputeSettings> candidates(Choice choice) {
        return Candidates.of(choice, current, search, probe.promptTokens()).stream()
                .filter(candidate -> !choice.needsContext || candidate.equals(current) || fits.test(candidate))
                .toList();
    }

    /**
     * Returns the verdict about a choice; empty when there is no time for two rounds.
     *
     * @param choicesLeft choices that share the time that is left, this one included
     */
    private Optional<Verdict> decide(Choice choice, List<ComputeSettings> candidates, int choicesLeft) throws CutOff {
        long leftNanos = deadlineNanos - clock.nanoTime();
        int affordable = candidates.size();
        while (affordable > 1 && LEAST_ROUNDS * probe.expectedNanos(choice, affordable) > leftNanos) {
            affordable--;
        }
        if (affordable < 2) {
            return Optional.empty();
        }
        long shareNanos = leftNanos / choicesLeft;
        int rounds = (int) Math.clamp(shareNanos / probe.expectedNanos(choice, affordable), LEAST_ROUNDS, ENOUGH_ROUNDS);
        long untilNanos = Math.min(deadlineNanos, clock.nanoTime() + MOST_SHARES * shareNanos);
        var trials = new ArrayList<Trial>();
        candidates.subList(0, affordable).forEach(candidate -> trials.add(new Trial(candidate)));
        var prefill = new HashMap<ComputeSettings, Double>();
        Verdict verdict = null;
        for (int round = 0; round < rounds || verdict.certainty() != Certainty.CLEAR && round < MOST_ROUNDS; round++) {
            long latestNanos = round < LEAST_ROUNDS ? deadlineNanos + search.budget().toNanos() / GRACE_DIVISOR
                    : round < rounds ? deadlineNanos : untilNanos;
            if (round > 0 && clock.nanoTime() + trials.stream().mapToLong(Trial::nanos).sum() > latestNanos) {
                break;
            }
            visitAll(choice, trials, round % 2 == 1, prefill);
            if (round == 0) {
                dropHopeless(trials);
            }
            verdict = round + 1 < LEAST_ROUNDS ? null : Verdict.of(trials, choice.leastGain);
        }
        if (verdict != null && !verdict.isNoise()) {
            prefillNanosPerToken = prefill.getOrDefault(verdict.pick(), prefillNanosPerToken);
        }
        return Optional.ofNullable(verdict);
    }

    /** Makes one round. A candidate that fails is left out; when the settings in use fail, the search does. */
    private void visitAll(Choice choice, List<Trial> trials, boolean backwards, Map<ComputeSettings, Double> prefill) throws CutOff {
        Trial inUse = trials.getFirst();
        for (Trial trial : backwards ? List.copyOf(trials).reversed() : List.copyOf(trials)) {
            checkStop();
            try {
                long begunNanos = clock.nanoTime();
                double cost = probe.visit(trial.settings, choice.measures);
                trial.add(cost, clock.nanoTime() - begunNanos);
            } catch (AgentException e) {
                if (trial == inUse) {
                    throw e;
                }
                trials.remove(trial);
                continue;
            }
            if (choice.measures.contains(Measure.PREFILL)) {
                prefill.merge(trial.settings, probe.prefillNanosPerToken(), Math::min);
            }
        }
    }

    /** Saves the time for candidates that were far behind in the first round: one thread may take all there is. One to compare with stays. */
    private static void dropHopeless(List<Trial> trials) {
        double least = trials.stream().mapToDouble(Trial::lastCost).min().orElseThrow();
        List<Trial> others = trials.subList(1, trials.size());
        double leastOther = others.stream().mapToDouble(Trial::lastCost).min().orElse(least);
        others.removeIf(trial -> trial.lastCost() > Math.max(leastOther, HOPELESS * least));
    }

    private void checkStop() throws CutOff {
        if (stop.getAsBoolean()) {
            throw new CutOff();
        }
    }

    /** Returns what a prompt token costs, measured now where no choice has needed it. */
    private long prefill() throws CutOff {
        if (prefillNanosPerToken == 0) {
            checkStop();
            probe.visit(current, EnumSet.of(Measure.PREFILL));
            prefillNanosPerToken = probe.prefillNanosPerToken();
        }
        return Math.max(1, Math.round(prefillNanosPerToken));
    }
}
