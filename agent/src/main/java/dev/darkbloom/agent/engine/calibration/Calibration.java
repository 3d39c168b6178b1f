package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.engine.calibration.Outcome.Chosen;
import dev.darkbloom.agent.engine.calibration.Outcome.Kept;
import dev.darkbloom.agent.engine.calibration.Outcome.Reason;
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
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * One search for the settings of one loaded model: choice by choice, each starting from what the ones before it found.
 *
 * <p>The candidates of a choice are visited in turn, round after round, so that what else happens on the machine meets all of them and shows as
 * spread. Nothing is decided by fewer than two rounds: a choice for which there is no time keeps its value.
 */
@Confined("model-loader")
public final class Calibration {
    private static final int LEAST_ROUNDS = 2;
    private static final int MOST_ROUNDS = 5;
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

    /** A choice that cannot be decided, which ends the search. */
    private static final class Undecided extends Exception {
        private static final long serialVersionUID = 1;
        private final transient Kept kept;

        Undecided(Reason reason, String explanation) {
            super(explanation, null, false, false);
            kept = new Kept(reason, explanation);
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
        var probe = new SpeedProbe(runtime, spec, clock);
        if (!probe.hasRoom()) {
            return new Kept(Reason.TOO_SMALL, "a context of " + spec.contextTokensPerSequence() + " tokens is too small to measure in");
        }
        try {
            return new Calibration(probe, spec.compute(), search, fits, clock, stop).run();
        } catch (Undecided e) {
            return e.kept;
        } catch (AgentException e) {
            return new Kept(Reason.FAILED, "measuring failed: " + e.getMessage());
        }
    }

    private Outcome run() throws Undecided {
        checkStop();
        probe.fit(current, deadlineNanos);
        var measured = EnumSet.noneOf(Choice.class);
        boolean anyLeftOut = false;
        double speedup = 1;
        double spread = 0;
        List<Choice> open = Arrays.stream(Choice.values()).filter(search.open()::contains).toList();
        for (int i = 0; i < open.size(); i++) {
            Choice choice = open.get(i);
            List<ComputeSettings> candidates = candidates(choice);
            if (candidates.size() < 2) {
                continue;
            }
            long leftNanos = deadlineNanos - clock.nanoTime();
            long visitNanos = probe.expectedNanos(choice.measures);
            int affordable = (int) Math.min(candidates.size(), leftNanos / (LEAST_ROUNDS * visitNanos));
            if (affordable < 2) {
                anyLeftOut = true;
                continue;
            }
            long rounds = leftNanos / (open.size() - i) / (affordable * visitNanos);
            Optional<Verdict> verdict =
                    decide(choice, candidates.subList(0, affordable), (int) Math.clamp(rounds, LEAST_ROUNDS, MOST_ROUNDS));
            if (verdict.isEmpty()) {
                anyLeftOut = true;
                continue;
            }
            current = verdict.get().pick();
            measured.add(choice);
            speedup *= verdict.get().speedup();
            spread = Math.max(spread, verdict.get().spread());
        }
        if (measured.isEmpty() && anyLeftOut) {
            throw new Undecided(Reason.TOO_SLOW, "there was no time to measure anything twice within " + search.budget().toMillis() + " ms");
        }
        return new Chosen(current.withPrefillNanosPerToken(prefill()), speedup, spread, measured);
    }

    private List<ComputeSettings> candidates(Choice choice) {
        return Candidates.of(choice, current, search.mostThreads(), probe.promptTokens()).stream()
                .filter(candidate -> candidate.equals(current) || !choice.needsRoom || fits.test(candidate))
                .toList();
    }

    /** Returns the verdict about a choice; empty when its visits took so much longer than expected that there is no second round. */
    private Optional<Verdict> decide(Choice choice, List<ComputeSettings> candidates, int rounds) throws Undecided {
        var trials = new ArrayList<Trial>();
        candidates.forEach(candidate -> trials.add(new Trial(candidate)));
        var prefill = new HashMap<ComputeSettings, Double>();
        Verdict verdict = null;
        for (int round = 0; round < rounds || verdict != null && verdict.isNoise() && round < MOST_ROUNDS; round++) {
            long graceNanos = round < LEAST_ROUNDS ? search.budget().toNanos() / GRACE_DIVISOR : 0;
            if (round > 0 && !hasTimeFor(trials.size(), choice.measures, graceNanos)) {
                break;
            }
            visitAll(choice, trials, prefill);
            verdict = round + 1 < LEAST_ROUNDS ? null : Verdict.of(trials, choice.leastGain);
        }
        if (verdict == null) {
            return Optional.empty();
        }
        if (verdict.isNoise()) {
            throw new Undecided(Reason.NOISE, String.format(Locale.ROOT,
                    "the same settings differed by %.0f %% between measurements; something else was computing", 100 * verdict.spread()));
        }
        prefillNanosPerToken = prefill.getOrDefault(verdict.pick(), prefillNanosPerToken);
        return Optional.of(verdict);
    }

    private boolean hasTimeFor(int visits, Set<Measure> measures, long graceNanos) {
        return clock.nanoTime() + visits * probe.expectedNanos(measures) <= deadlineNanos + graceNanos;
    }

    /** Makes one round. A candidate that fails is left out; when the settings in use fail, the search does. */
    private void visitAll(Choice choice, List<Trial> trials, Map<ComputeSettings, Double> prefill) throws Undecided {
        for (var all = trials.iterator(); all.hasNext(); ) {
            Trial trial = all.next();
            checkStop();
            try {
                trial.add(probe.visit(trial.settings, choice.measures));
            } catch (AgentException e) {
                if (trial.settings.equals(current)) {
                    throw e;
                }
                all.remove();
                continue;
            }
            if (choice.measures.contains(Measure.PREFILL)) {
                prefill.merge(trial.settings, probe.prefillNanosPerToken(), Math::min);
            }
        }
    }

    private void checkStop() throws Undecided {
        if (stop.getAsBoolean()) {
            throw new Undecided(Reason.CUT_OFF, "it was cut off");
        }
    }

    /** Returns what a prompt token costs, measured now where no choice has needed it. */
    private long prefill() throws Undecided {
        if (prefillNanosPerToken == 0) {
            checkStop();
            probe.visit(current, EnumSet.of(Measure.PREFILL));
            prefillNanosPerToken = probe.prefillNanosPerToken();
        }
        return Math.max(1, Math.round(prefillNanosPerToken));
    }
}
