package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.engine.calibration.Search;
import dev.darkbloom.agent.engine.calibration.Tuning;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.FakeOpener;
import dev.darkbloom.agent.testing.ManualClock;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How a load uses what is known, measures, and keeps the reservation right. */
@Timeout(120)
class TuningAtLoadTest {
    private static final ComputeSettings SAFE = ComputeSettings.safe(2, 64, 32);
    private static final ModelSpec SPEC = ModelSpec.ofText("m", Path.of("m.gguf"), 256, 4, SAFE);
    private static final Search SEARCH = new Search(EnumSet.allOf(Choice.class), 2, Duration.ofSeconds(2));

    private final ManualClock clock = new ManualClock();
    private final FakeOpener opener = new FakeOpener();
    private final Told told = new Told();

    /** Plans what it was told to, and remembers what it hears. */
    private static final class Told implements Tuning {
        final List<ComputeSettings> used = new CopyOnWriteArrayList<>();
        final List<Outcome> outcomes = new CopyOnWriteArrayList<>();
        volatile Plan plan = new Plan.Measure(SEARCH);

        @Override
        public Plan plan(ModelSpec asked) {
            return plan;
        }

        @Override
        public void ended(ModelSpec asked, Outcome outcome) {
            outcomes.add(outcome);
        }

        @Override
        public void uses(ModelSpec asked, ComputeSettings settings) {
            used.add(settings);
        }
    }

    private Engine engine(MemoryLedger ledger) {
        Engine engine = Engine.open(Rig.settings(), opener, ledger, clock, told);
        engine.register(SPEC, true);
        return engine;
    }

    @AfterEach
    void nothingIsLeftOpen() {
        assertThat(opener.behaviour("m").violations()).isEmpty();
        assertThat(opener.behaviour("m").leaks()).isEmpty();
    }

    @Test
    void whatWasMeasuredIsWhatTheModelComputesWithAndAnswersStayTheSame() throws Exception {
        opener.behaviour("m").cost(clock, (settings, rows) -> 100_000L * rows * (settings.flashAttention() == FlashAttention.OFF ? 1 : 2));
        var ledger = new MemoryLedger(Long.MAX_VALUE);

        try (Engine engine = engine(ledger); ModelLease lease = engine.acquire("m"); Caller caller = Caller.of(1, 2, 3).max(50).submit(lease)) {
            assertThat(caller.readAll()).isEqualTo(FakeModel.answer(opener.behaviour("m"), new int[] {1, 2, 3}, 50));
            assertThat(lease.spec().compute().flashAttention()).isEqualTo(FlashAttention.OFF);
            assertThat(lease.spec().slots()).isEqualTo(4);
        }

        assertThat(told.outcomes).singleElement().isInstanceOf(Outcome.Chosen.class);
        assertThat(told.used).singleElement().satisfies(used -> {
            assertThat(used.threads()).isEqualTo(1);
            assertThat(used.prefillNanosPerToken()).isEqualTo(100_000);
        });
    }

    @Test
    void knownSettingsAreUsedWithoutMeasuring() throws Exception {
        told.plan = new Tuning.Plan.Use(SAFE.withThreads(1).withPoll(7));

        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE))) {
            engine.load("m");
        }

        assertThat(told.used).containsExactly(SAFE.withThreads(1).withPoll(7));
        assertThat(opener.behaviour("m").decodes()).isZero();
    }

    @Test
    void knownSettingsGiveWayWhereTheyLeaveLessContext() throws Exception {
        opener.computeBytes(settings -> settings.flashAttention() == FlashAttention.OFF ? 500 : 0);
        told.plan = new Tuning.Plan.Use(SAFE.withFlashAttention(FlashAttention.OFF));

        try (Engine engine = engine(new MemoryLedger(opener.need(SPEC).totalBytes() + 499)); ModelLease lease = engine.acquire("m")) {
            assertThat(lease.spec().compute()).isEqualTo(SAFE);
            assertThat(lease.contextTokens()).isEqualTo(256);
        }
    }

    @Test
    void reservationIsThatOfTheSettingsUsed() throws Exception {
        opener.behaviour("m").cost(clock, (settings, rows) -> 100_000L * rows * (settings.flashAttention() == FlashAttention.OFF ? 1 : 2));
        opener.computeBytes(settings -> settings.flashAttention() == FlashAttention.OFF ? 500 : settings.threads() == 1 ? 9 : 0);
        var ledger = new MemoryLedger(opener.need(SPEC).totalBytes() + 500);

        try (Engine engine = engine(ledger)) {
            engine.load("m");

            assertThat(told.used.getFirst().flashAttention()).isEqualTo(FlashAttention.OFF);
            assertThat(ledger.reservedBytes()).isEqualTo(opener.need(SPEC).totalBytes() + 500);
        }
        assertThat(ledger.reservedBytes()).isZero();
    }

    @Test
    void settingsForWhichThereIsNoMemoryAreNotTaken() throws Exception {
        opener.behaviour("m").cost(clock, (settings, rows) -> 100_000L * rows * (settings.flashAttention() == FlashAttention.OFF ? 1 : 2));
        opener.computeBytes(settings -> settings.flashAttention() == FlashAttention.OFF ? 500 : 0);
        var ledger = new MemoryLedger(opener.need(SPEC).totalBytes() + 499);

        try (Engine engine = engine(ledger)) {
            engine.load("m");

            assertThat(told.used.getFirst().flashAttention()).isEqualTo(FlashAttention.AUTO);
            assertThat(ledger.reservedBytes()).isEqualTo(opener.need(SPEC).totalBytes());
        }
    }

    @Test
    void roomThatOnlyATrialNeededIsGivenBack() throws Exception {
        opener.behaviour("m").cost(clock, 100_000);
        opener.computeBytes(settings -> settings.flashAttention() == FlashAttention.OFF ? 500 : 0);
        var ledger = new MemoryLedger(Long.MAX_VALUE);

        try (Engine engine = engine(ledger)) {
            engine.load("m");

            assertThat(ledger.reservedBytes()).isEqualTo(opener.need(SPEC).totalBytes());
        }
    }

    @Test
    void aCalibrationThatFailsLeavesAModelThatServes() throws Exception {
        opener.behaviour("m").cost(clock, 100_000);
        opener.behaviour("m").failNextDecode(new IllegalStateException("boom"));

        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE)); ModelLease lease = engine.acquire("m");
                Caller caller = Caller.of(1, 2, 3).submit(lease)) {
            assertThat(caller.readAll()).hasSize(16);
        }

        assertThat(told.used).containsExactly(SAFE);
        assertThat(told.outcomes).singleElement().isInstanceOfSatisfying(Outcome.Kept.class,
                kept -> assertThat(kept.reason()).isEqualTo(Outcome.Reason.FAILED));
    }

    @Test
    void closingTheEngineCutsACalibrationOff() throws Exception {
        opener.behaviour("m").cost(clock, 100_000);
        opener.behaviour("m").hold();
        Engine engine = engine(new MemoryLedger(Long.MAX_VALUE));
        Thread asker = Thread.ofVirtual().start(() -> {
            try {
                engine.load("m");
            } catch (AgentException | InterruptedException _) {
                return; // it is refused, since the engine closes
            }
        });
        Rig.until(opener.behaviour("m")::isWaiting);
        Thread closing = Thread.ofPlatform().start(engine::close);
        Rig.until(() -> asker.join(Duration.ofMillis(1))); // refused as soon as the engine takes nothing new
        opener.behaviour("m").release();
        closing.join();

        assertThat(told.outcomes).containsExactly(new Outcome.Kept(Outcome.Reason.CUT_OFF, "it was cut off"));
    }

    @Test
    void reloadedModelIsPlannedAnewAndThoseWhoAskMeanwhileWait() throws Exception {
        told.plan = new Tuning.Plan.Use(SAFE);
        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE))) {
            engine.load("m");
            opener.hold();
            told.plan = new Tuning.Plan.Use(SAFE.withPoll(3));
            Thread reloading = reload(engine);
            Rig.until(() -> engine.models().getFirst().state() == ModelState.LOADING);
            Thread asker = Thread.ofVirtual().start(() -> {
                try (ModelLease lease = engine.acquire("m")) {
                    told.used.add(lease.spec().compute().withThreads(9));
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            opener.release();
            reloading.join();
            asker.join();
        }

        assertThat(told.used).containsExactly(SAFE, SAFE.withPoll(3), SAFE.withPoll(3).withThreads(9));
        assertThat(opener.behaviour("m").loads()).isEqualTo(2);
    }

    @Test
    void reloadWaitsForThoseWhoHoldTheModelButNotForEver() throws Exception {
        told.plan = new Tuning.Plan.Use(SAFE);
        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE))) {
            try (ModelLease lease = engine.acquire("m"); Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                assertThatThrownBy(() -> engine.reload("m")).isInstanceOfSatisfying(AgentException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL));
                assertThat(caller.readAll()).hasSize(16);
            }
            assertThat(opener.behaviour("m").loads()).isEqualTo(1);

            engine.reload("m");

            assertThat(opener.behaviour("m").loads()).isEqualTo(2);
        }
    }

    @Test
    void retuningMeasuresAnUnusedModelOverTheSameWeights() throws Exception {
        opener.behaviour("m").cost(clock, (settings, rows) -> 100_000L * rows * (settings.flashAttention() == FlashAttention.OFF ? 1 : 2));
        opener.computeBytes(settings -> settings.flashAttention() == FlashAttention.OFF ? 500 : 0);
        told.plan = new Tuning.Plan.Use(SAFE);
        var ledger = new MemoryLedger(Long.MAX_VALUE);
        try (Engine engine = engine(ledger)) {
            engine.load("m");
            told.plan = new Tuning.Plan.Measure(SEARCH);

            engine.retune("m");
            Rig.until(() -> told.used.size() == 2);

            try (ModelLease lease = engine.acquire("m"); Caller caller = Caller.of(1, 2, 3).max(50).submit(lease)) {
                assertThat(lease.spec().compute().flashAttention()).isEqualTo(FlashAttention.OFF);
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(opener.behaviour("m"), new int[] {1, 2, 3}, 50));
            }
            assertThat(opener.behaviour("m").loads()).isEqualTo(1);
            assertThat(ledger.reservedBytes()).isEqualTo(opener.need(SPEC).totalBytes() + 500);
        }
        assertThat(ledger.reservedBytes()).isZero();
    }

    @Test
    void whoAsksWhileAModelIsRetunedWaitsForOneVisitAndCutsItOff() throws Exception {
        opener.behaviour("m").cost(clock, 100_000);
        told.plan = new Tuning.Plan.Use(SAFE);
        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE))) {
            engine.load("m");
            told.plan = new Tuning.Plan.Measure(SEARCH);
            opener.behaviour("m").hold();
            engine.retune("m");
            Rig.until(opener.behaviour("m")::isWaiting);
            var answers = new CopyOnWriteArrayList<Integer>();
            Thread asker = Thread.ofPlatform().start(() -> {
                try (ModelLease lease = engine.acquire("m"); Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                    for (int token : caller.readAll()) {
                        answers.add(token);
                    }
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            Rig.until(() -> asker.getState() == Thread.State.WAITING);

            opener.behaviour("m").release();
            asker.join();

            assertThat(answers).hasSize(16);
        }
        assertThat(told.outcomes).containsExactly(new Outcome.Kept(Outcome.Reason.CUT_OFF, "it was cut off"));
        assertThat(told.used).containsExactly(SAFE, SAFE);
        assertThat(opener.behaviour("m").decodersOpened()).as("the model's two and one to measure in").isEqualTo(3);
    }

    @Test
    void whileAnyModelIsHeldNoneIsRetuned() throws Exception {
        told.plan = new Tuning.Plan.Use(SAFE);
        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE))) {
            engine.register(ModelSpec.ofText("n", Path.of("n.gguf"), 256, 4, SAFE), true);
            engine.load("n");
            try (ModelLease lease = engine.acquire("m"); Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                told.plan = new Tuning.Plan.Measure(SEARCH);
                engine.retune("m");
                engine.retune("n");
                assertThat(caller.readAll()).hasSize(16);
                told.plan = new Tuning.Plan.Use(SAFE);
                engine.reload("n"); // the loader does one thing after the other
            }
        }
        assertThat(told.outcomes).isEmpty();
        assertThat(opener.behaviour("m").decodersOpened()).isEqualTo(1);
    }

    @Test
    void aPlanThatChangesNothingLeavesTheContextAlone() throws Exception {
        told.plan = new Tuning.Plan.Use(SAFE);
        try (Engine engine = engine(new MemoryLedger(Long.MAX_VALUE))) {
            engine.register(ModelSpec.ofText("n", Path.of("n.gguf"), 256, 4, SAFE), true);
            engine.load("m");
            engine.retune("m");
            engine.load("n"); // the loader does one thing after the other
            assertThat(told.used).containsExactly(SAFE, SAFE);
            assertThat(opener.behaviour("m").decodersOpened()).isEqualTo(1);

            told.plan = new Tuning.Plan.Use(SAFE.withPoll(3));
            engine.retune("m");
            Rig.until(() -> told.used.contains(SAFE.withPoll(3)));
            try (ModelLease lease = engine.acquire("m")) {
                assertThat(lease.spec().compute()).isEqualTo(SAFE.withPoll(3));
            }
        }
        assertThat(opener.behaviour("m").decodersOpened()).isEqualTo(2);
        assertThat(opener.behaviour("m").loads()).isEqualTo(1);
    }

    @Test
    void aContextThatCannotBeOpenedAfterRetuningFailsTheModelAndFreesIt() throws Exception {
        told.plan = new Tuning.Plan.Use(SAFE);
        var ledger = new MemoryLedger(Long.MAX_VALUE);
        try (Engine engine = engine(ledger)) {
            engine.load("m");
            opener.behaviour("m").failDecoder(new AgentException(ErrorCode.OUT_OF_MEMORY, "no context"));
            told.plan = new Tuning.Plan.Use(SAFE.withPoll(3));

            engine.retune("m");
            Rig.until(() -> engine.models().getFirst().state() == ModelState.FAILED);
            assertThat(ledger.reservedBytes()).isZero();

            opener.behaviour("m").failDecoder(null);
            engine.load("m");
            assertThat(opener.behaviour("m").loads()).isEqualTo(2);
        }
    }

    @Test
    void closingTheEngineEndsARetuning() throws Exception {
        opener.behaviour("m").cost(clock, 100_000);
        told.plan = new Tuning.Plan.Use(SAFE);
        Engine engine = engine(new MemoryLedger(Long.MAX_VALUE));
        engine.load("m");
        told.plan = new Tuning.Plan.Measure(SEARCH);
        opener.behaviour("m").hold();
        engine.retune("m");
        Rig.until(opener.behaviour("m")::isWaiting);
        Thread closing = Thread.ofPlatform().start(engine::close);
        Rig.until(() -> closing.getState() != Thread.State.RUNNABLE);
        opener.behaviour("m").release();
        closing.join();

        assertThat(told.outcomes).hasSize(1);
    }

    private static Thread reload(Engine engine) {
        return Thread.ofVirtual().start(() -> {
            try {
                engine.reload("m");
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }
}
