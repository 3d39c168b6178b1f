package dev.darkbloom.agent.engine.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.FakeBehaviour;
import dev.darkbloom.agent.testing.FakeBehaviour.StepCost;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.ManualClock;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The search, on a model whose steps take what the test says. */
class CalibrationTest {
    private static final long MICRO = 1_000;
    private static final long MILLI = 1_000_000;
    private static final ComputeSettings SAFE = ComputeSettings.safe(8, 2048, 512);

    private final ManualClock clock = new ManualClock();
    private final FakeBehaviour behaviour = new FakeBehaviour();
    private final List<ComputeSettings> asked = new ArrayList<>();

    @AfterEach
    void nothingWasDoneThatLlamaCppWouldNotSurvive() {
        assertThat(behaviour.violations()).isEmpty();
        assertThat(behaviour.leaks()).isEmpty();
    }

    @Test
    void whatIsClearlyFasterIsTaken() {
        // Half the threads are twice as fast, without flash attention it is faster by a fifth, polling saves a third of a step.
        Outcome.Chosen found = chosen(calibrate((settings, rows) -> (long) (rows * 100 * MICRO * (settings.threads() == 4 ? 1 : 2)
                * (settings.flashAttention() == FlashAttention.OFF ? 0.8 : 1) * (settings.poll() > 0 ? 0.67 : 1))));

        assertThat(found.settings().threads()).isEqualTo(4);
        assertThat(found.settings().flashAttention()).isEqualTo(FlashAttention.OFF);
        assertThat(found.settings().poll()).isEqualTo(1);
        assertThat(found.settings().prefillNanosPerToken()).isEqualTo(53_600);
        assertThat(found.speedup()).isCloseTo(2 / 0.8 / 0.67, within(0.05));
        assertThat(found.spread()).isZero();
        assertThat(found.measured()).contains(Choice.THREADS, Choice.FLASH_ATTENTION, Choice.POLL);
    }

    @Test
    void smallGainsDoNotPayForNoiseAndHeat() {
        Outcome.Chosen found = chosen(calibrate((settings, rows) -> rows * 100 * MICRO - settings.threads() * MICRO - settings.poll() * MICRO / 20));

        assertThat(found.settings().threads()).isEqualTo(1);
        assertThat(found.settings().poll()).isZero();
        assertThat(found.settings().flashAttention()).isEqualTo(FlashAttention.AUTO);
        assertThat(found.speedup()).isBetween(0.8, 1.0);
    }

    @Test
    void threadsThatHelpAreKept() {
        Outcome.Chosen found = chosen(calibrate((settings, rows) -> rows * 400 * MICRO / settings.threads()));

        assertThat(found.settings().threads()).isEqualTo(8);
    }

    @Test
    void moreThreadsThanAllowedAreNotEvenTried() {
        var tried = new ArrayList<Integer>();
        calibrate((settings, rows) -> {
            tried.add(settings.threads());
            return rows * 400 * MICRO / settings.threads();
        });

        assertThat(tried).isNotEmpty().allMatch(threads -> threads <= 8);
    }

    @Test
    void whatTheOwnerHasSetIsNotSearched() {
        var tried = new ArrayList<ComputeSettings>();
        behaviour.cost(clock, (settings, rows) -> {
            tried.add(settings);
            return rows * 100 * MICRO;
        });

        Outcome outcome = calibrate(spec(SAFE, 2048, 8), EnumSet.of(Choice.POLL), Duration.ofSeconds(2), _ -> true, () -> false);

        assertThat(tried).extracting(ComputeSettings::threads).containsOnly(8);
        assertThat(tried).extracting(ComputeSettings::flashAttention).containsOnly(FlashAttention.AUTO);
        assertThat(tried).extracting(ComputeSettings::poll).contains(0, 1, 50);
        assertThat(chosen(outcome).measured()).containsExactly(Choice.POLL);
    }

    @Test
    void withNothingToSearchTheSpeedOfPromptsIsStillLearnt() {
        behaviour.cost(clock, 100 * MICRO);

        Outcome outcome = calibrate(spec(SAFE, 2048, 8), Set.of(), Duration.ofSeconds(2), _ -> true, () -> false);

        assertThat(chosen(outcome).settings()).isEqualTo(SAFE.withPrefillNanosPerToken(100 * MICRO));
    }

    @Test
    void aUbatchIsChosenWherePromptsAreLongEnoughToTell() {
        Outcome.Chosen found = chosen(calibrate((settings, rows) -> rows > 1 ? rows * 10 * MICRO * 512 / settings.ubatchTokens() : 5 * MILLI));

        assertThat(found.settings().ubatchTokens()).isEqualTo(1024);
        assertThat(found.settings().batchTokens()).isEqualTo(2048);
    }

    @Test
    void whatDoesNotFitTheMemoryIsNeitherTriedNorChosen() {
        behaviour.cost(clock, (settings, rows) -> {
            asked.add(settings);
            return rows * (settings.flashAttention() == FlashAttention.OFF ? 10 : 100) * MICRO;
        });

        Outcome outcome = calibrate(spec(SAFE, 2048, 8), EnumSet.allOf(Choice.class), Duration.ofSeconds(2),
                settings -> settings.flashAttention() != FlashAttention.OFF, () -> false);

        assertThat(chosen(outcome).settings().flashAttention()).isEqualTo(FlashAttention.AUTO);
        assertThat(asked).noneMatch(settings -> settings.flashAttention() == FlashAttention.OFF);
    }

    @Test
    void noiseDecidesNothing() {
        var random = new Random(1);

        Outcome outcome = calibrate((_, rows) -> (long) (rows * 100 * MICRO * (random.nextInt(4) == 0 ? 9 : 1 + 2 * random.nextDouble())));

        assertThat(outcome).isInstanceOfSatisfying(Outcome.Kept.class, kept -> {
            assertThat(kept.reason()).isEqualTo(Outcome.Reason.NOISE);
            assertThat(kept.explanation()).matches(".*differed by \\d+ %.*");
        });
    }

    @Test
    void whatIsHalfAsFastAgainIsFoundOnAMachineThatIsNeverSteady() {
        for (int seed = 0; seed < 20; seed++) {
            Outcome.Chosen found = chosen(calibrate(unsteady(seed, 0.2,
                    (settings, rows) -> rows * 100 * MICRO * (settings.flashAttention() == FlashAttention.OFF ? 2 : 3) / 2)));

            assertThat(found.settings().flashAttention()).as("seed %d", seed).isEqualTo(FlashAttention.OFF);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.1, 0.2, 0.4})
    void onSuchMachinesHardlyAnythingIsFoundWhereThereIsNothing(double share) {
        int noise = 0;
        int found = 0;
        for (int seed = 0; seed < 40; seed++) {
            switch (calibrate(unsteady(seed, share, (_, rows) -> rows * 100 * MICRO))) {
                case Outcome.Kept(Outcome.Reason reason, String _) -> noise += reason == Outcome.Reason.NOISE ? 1 : 0;
                case Outcome.Chosen chosen -> found += chosen.settings().flashAttention() == FlashAttention.OFF ? 1 : 0;
            }
        }

        assertThat(noise).isGreaterThanOrEqualTo(share > 0.3 ? 10 : 0);
        assertThat(found).isLessThanOrEqualTo(4);
    }

    /** On a machine whose speed changes every 60 ms, up to {@code share} faster or slower than usual. */
    private StepCost unsteady(long seed, double share, StepCost cost) {
        return (settings, rows) -> {
            long period = clock.nanoTime() / (60 * MILLI);
            double pace = 1 - share + 2 * share * new SplittableRandom(1_000_003 * seed + period).nextDouble();
            return (long) (pace * cost.nanos(settings, rows));
        };
    }

    @Test
    void aCandidateThatTakesFarTooLongIsTriedOnce() {
        var pieces = new int[1];

        Outcome outcome = calibrate((settings, rows) -> {
            pieces[0] += settings.threads() == 1 && rows > 4 ? 1 : 0;
            return rows * (settings.threads() == 1 ? 400 : 60) * MICRO;
        });

        assertThat(chosen(outcome).settings().threads()).isEqualTo(4);
        assertThat(pieces[0]).isEqualTo(1);
    }

    @Test
    void threadsAndPollingAreChangedInOneContext() {
        behaviour.cost(clock, (settings, rows) -> rows * 400 * MICRO / settings.threads());

        Outcome outcome = calibrate(spec(SAFE, 2048, 8), EnumSet.of(Choice.THREADS, Choice.POLL), Duration.ofSeconds(2), _ -> true, () -> false);

        assertThat(chosen(outcome).measured()).containsExactlyInAnyOrder(Choice.THREADS, Choice.POLL);
        assertThat(behaviour.decodersOpened()).as("one to find a prompt's length, one for all visits").isEqualTo(2);
    }

    @Test
    void noTimeIsLostToWarmingContexts() {
        calibrate((settings, rows) -> rows * 400 * MICRO / settings.threads());

        assertThat(behaviour.decodersOpened()).isGreaterThan(2);
        assertThat(behaviour.decodersWarmed()).isZero();
    }

    @Test
    void threadsAreCountedAwakeAndPutToSleepWhereThatCostsNothing() {
        // Asleep, every thread more costs a wake-up; awake, two are best.
        StepCost wakeups = (settings, rows) -> rows * 200 * MICRO / Math.min(2, settings.threads())
                + (settings.poll() == 0 ? settings.threads() * 100 * MICRO : settings.threads() * 5 * MICRO);

        Outcome.Chosen found = chosen(calibrate(wakeups));

        assertThat(found.settings().poll()).isEqualTo(1);
        assertThat(found.settings().threads()).isEqualTo(4);
    }

    @Test
    void oneDisturbanceIsSurvived() {
        var calls = new int[1];

        Outcome.Chosen found = chosen(calibrate((settings, rows) ->
                rows * 400 * MICRO / settings.threads() + (calls[0]++ == 40 ? 200 * MILLI : 0)));

        assertThat(found.settings().threads()).isEqualTo(8);
    }

    @Test
    void aSlowModelGetsFewerCandidates() {
        Outcome outcome = calibrate((settings, rows) -> 60 * MILLI + rows * 3 * MILLI / (settings.threads() == 4 ? 2 : 1));

        assertThat(chosen(outcome).measured()).contains(Choice.THREADS).doesNotContain(Choice.POLL);
        assertThat(clock.nanoTime()).isLessThan(new ManualClock().nanoTime() + Duration.ofMillis(3100).toNanos());
    }

    @Test
    void aModelThatIsTooSlowKeepsItsSettings() {
        Outcome outcome = calibrate((_, _) -> 400 * MILLI);

        assertThat(outcome).isInstanceOfSatisfying(Outcome.Kept.class, kept -> assertThat(kept.reason()).isEqualTo(Outcome.Reason.TOO_SLOW));
        assertThat(clock.nanoTime()).isLessThan(new ManualClock().nanoTime() + Duration.ofSeconds(3).toNanos());
    }

    @Test
    void aMachineThatSlowsDownEndsTheSearchSoon() {
        var calls = new int[1];

        calibrate((_, rows) -> calls[0]++ < 10 ? rows * 50 * MICRO : 300 * MILLI);

        assertThat(clock.nanoTime()).isLessThan(new ManualClock().nanoTime() + Duration.ofSeconds(12).toNanos());
    }

    @Test
    void stoppingCutsItOff() {
        var visits = new int[1];
        behaviour.cost(clock, 100 * MICRO);

        Outcome outcome = calibrate(spec(SAFE, 2048, 8), EnumSet.allOf(Choice.class), Duration.ofSeconds(2), _ -> true, () -> visits[0]++ == 5);

        assertThat(outcome).isEqualTo(new Outcome.Kept(Outcome.Reason.CUT_OFF, "it was cut off"));
        assertThat(behaviour.decodersOpened()).as("one to find a prompt's length, one for the visits").isEqualTo(2);
    }

    @Test
    void aContextThatFailsEndsTheSearchNotTheLoad() {
        behaviour.cost(clock, 100 * MICRO);
        behaviour.nextCode(-3);

        Outcome outcome = calibrate(spec(SAFE, 2048, 8), EnumSet.allOf(Choice.class), Duration.ofSeconds(2), _ -> true, () -> false);

        assertThat(outcome).isInstanceOfSatisfying(Outcome.Kept.class, kept -> assertThat(kept.reason()).isEqualTo(Outcome.Reason.FAILED));
    }

    @Test
    void aCandidateThatFailsIsLeftOut() {
        Outcome.Chosen found = chosen(calibrate((settings, rows) -> {
            if (settings.flashAttention() == FlashAttention.OFF) {
                throw new AgentException(ErrorCode.OUT_OF_MEMORY, "no such buffer");
            }
            return rows * 400 * MICRO / settings.threads();
        }));

        assertThat(found.settings().flashAttention()).isEqualTo(FlashAttention.AUTO);
        assertThat(found.settings().threads()).isEqualTo(8);
    }

    @Test
    void aContextTooSmallToMeasureInIsSaidSo() {
        behaviour.cost(clock, 100 * MICRO);

        Outcome outcome = calibrate(spec(SAFE, 20, 1), EnumSet.allOf(Choice.class), Duration.ofSeconds(2), _ -> true, () -> false);

        assertThat(outcome).isInstanceOfSatisfying(Outcome.Kept.class, kept -> assertThat(kept.reason()).isEqualTo(Outcome.Reason.TOO_SMALL));
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = "NONE", mode = EnumSource.Mode.EXCLUDE) // encoders are not calibrated
    void everyKindOfMemoryIsMeasuredWithoutBreakingARule(MemoryKind kind) {
        behaviour.memoryKind(kind);
        behaviour.cost(clock, 100 * MICRO);

        Outcome outcome = calibrate(spec(SAFE, 256, 2).unified(300), EnumSet.allOf(Choice.class), Duration.ofSeconds(2), _ -> true, () -> false);

        assertThat(outcome).isInstanceOf(Outcome.Chosen.class);
    }

    private static Outcome.Chosen chosen(Outcome outcome) {
        assertThat(outcome).isInstanceOf(Outcome.Chosen.class);
        return (Outcome.Chosen) outcome;
    }

    private Outcome calibrate(StepCost cost) {
        behaviour.cost(clock, cost);
        return calibrate(spec(SAFE, 2048, 8), EnumSet.allOf(Choice.class), Duration.ofSeconds(2), _ -> true, () -> false);
    }

    private Outcome calibrate(ModelSpec spec, Set<Choice> open, Duration budget, Predicate<ComputeSettings> fits, BooleanSupplier stop) {
        try (var model = new FakeModel(spec, behaviour)) {
            return Calibration.run(model, spec, new Search(open, 8, budget), fits, clock, stop);
        }
    }

    private static ModelSpec spec(ComputeSettings settings, int contextTokens, int slots) {
        return ModelSpec.ofText("m", Path.of("m.gguf"), contextTokens, slots, settings);
    }
}
