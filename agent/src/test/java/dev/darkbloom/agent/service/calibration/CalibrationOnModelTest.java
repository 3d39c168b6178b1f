package dev.darkbloom.agent.service.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.content.TokenRing;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.engine.calibration.Tuning;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.hardware.PowerState;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.testing.BareLoop;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Calibration on the demo model: real contexts under every candidate, the ledger's bytes, the file, and the tokens that come out. */
@Tag("model")
@Timeout(300)
class CalibrationOnModelTest {
    /** One thread: on a machine with other work two wait for each other at every layer, a hundred times as long as they compute. */
    private static final ComputeSettings SAFE = ComputeSettings.safe(1, 512, 512);
    private static final int ANSWER_TOKENS = 6;
    private static final int CONTEXT = 512;

    @TempDir
    Path directory;

    /** Each look at it is a tenth of a millisecond after the one before, so that a search ends as it does on a machine without noise. */
    private static final class EvenClock implements NanoClock {
        private final AtomicLong now = new AtomicLong();

        @Override
        public long nanoTime() {
            return now.addAndGet(100_000);
        }

        @Override
        public void parkUntil(Object blocker, long deadlineNanos) {
            LockSupport.park(blocker);
        }
    }

    /** Passes everything on and counts what was measured. */
    private record Counting(Calibrations real, AtomicInteger measured, List<Outcome> outcomes) implements Tuning {
        Counting(Calibrations real) {
            this(real, new AtomicInteger(), new ArrayList<>());
        }

        @Override
        public Plan plan(ModelSpec asked) {
            Plan plan = real.plan(asked);
            measured.addAndGet(plan instanceof Plan.Measure ? 1 : 0);
            return plan;
        }

        @Override
        public void ended(ModelSpec asked, Outcome outcome) {
            outcomes.add(outcome);
            real.ended(asked, outcome);
        }

        @Override
        public void uses(ModelSpec asked, ComputeSettings settings) {
            real.uses(asked, settings);
        }
    }

    @Test
    void itFinishesIsKeptAndIsReusedWithoutMeasuring() throws Exception {
        var first = new Counting(calibrations());
        var second = new Counting(calibrations());

        ComputeSettings found = settingsAfterALoad(first, new EvenClock());
        ComputeSettings reused = settingsAfterALoad(second, new EvenClock());

        assertThat(first.outcomes).singleElement().isInstanceOfSatisfying(Outcome.Chosen.class,
                chosen -> assertThat(chosen.measured()).contains(Choice.FLASH_ATTENTION));
        assertThat(found.flashAttention()).as("where everything takes the same time, nothing changes").isEqualTo(FlashAttention.AUTO);
        assertThat(found.prefillNanosPerToken()).isPositive();
        assertThat(reused).isEqualTo(found);
        assertThat(second.measured.get()).isZero();
        assertThat(second.real.report("demo")).hasValueSatisfying(report -> assertThat(report.calibration()).isEqualTo("measured"));
    }

    @ParameterizedTest
    @EnumSource(value = TinyModels.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "EMBEDDING")
    void everyKindOfModelCanBeMeasuredInBothLayouts(TinyModels.Kind kind) throws Exception {
        Path file = directory.resolve("tiny.gguf");
        kind.writer(7).write(file);
        ModelSpec streams = ModelSpec.ofText("demo", file, 256, 3, SAFE);

        for (ModelSpec spec : List.of(streams, streams.unified(512))) {
            var tuning = new Counting(calibrations());
            try (Engine engine = engine(tuning, new EvenClock(), new MemoryLedger(4L << 30), spec); ModelLease lease = engine.acquire("demo")) {
                assertThat(lease.spec().kvLayout()).isEqualTo(spec.kvLayout());
            }
            assertThat(tuning.outcomes).as(spec.kvLayout().toString()).singleElement().isInstanceOf(Outcome.Chosen.class);
        }
    }

    @Test
    void bytesReservedAreThoseOfTheSettingsInUse() throws Exception {
        var ledger = new MemoryLedger(4L << 30);
        try (Engine engine = engine(new Counting(calibrations()), NanoClock.SYSTEM, ledger, spec(SAFE));
                ModelLease lease = engine.acquire("demo")) {
            assertThat(ledger.reservedBytes()).isEqualTo(LoadedModels.backend().need(lease.spec()).totalBytes());
        }
        assertThat(ledger.reservedBytes()).isZero();
    }

    @Test
    void whateverTheMachinesOwnClockFindsTheTokensAreThoseOfTheSameSettingsSetByHand() throws Exception {
        List<int[]> prompts = prompts();
        ComputeSettings used;
        List<List<Integer>> calibrated;
        try (Engine engine = engine(new Counting(calibrations()), NanoClock.SYSTEM, new MemoryLedger(4L << 30), spec(SAFE))) {
            calibrated = answers(engine, prompts);
            try (ModelLease lease = engine.acquire("demo")) {
                used = lease.spec().compute();
            }
        }

        try (Engine engine = engine(Tuning.NONE, NanoClock.SYSTEM, new MemoryLedger(4L << 30), spec(used))) {
            assertThat(answers(engine, prompts)).as(used.toString()).isEqualTo(calibrated);
        }
    }

    @Test
    void threadsAndPollingChangeNoTokenOfTheBareLoop() throws Exception {
        List<int[]> prompts = prompts().subList(0, 1);
        List<List<Integer>> bare = BareLoop.answers(TestModels.demo(), prompts, ANSWER_TOKENS, CONTEXT, 512).stream()
                .map(answer -> IntStream.of(answer.ids()).boxed().toList()).toList();
        ComputeSettings sameKernels = SAFE.withFlashAttention(FlashAttention.OFF);

        for (ComputeSettings settings : List.of(sameKernels, sameKernels.withThreads(2).withPoll(50))) {
            try (Engine engine = engine(Tuning.NONE, NanoClock.SYSTEM, new MemoryLedger(4L << 30), spec(settings))) {
                assertThat(answers(engine, prompts)).as(settings.toString()).isEqualTo(bare);
            }
        }
    }

    private ComputeSettings settingsAfterALoad(Tuning tuning, NanoClock clock) throws InterruptedException {
        try (Engine engine = engine(tuning, clock, new MemoryLedger(4L << 30), spec(SAFE)); ModelLease lease = engine.acquire("demo")) {
            return lease.spec().compute();
        }
    }

    private Calibrations calibrations() {
        var quiet = new MeasuringConditions(() -> PowerState.UNKNOWN, OptionalDouble::empty);
        return new Calibrations(AgentConfig.of(ConfigValues.DEFAULTS).backend(), new Machine("test", 4L << 30, 1, 1), "test",
                directory.resolve("calibration.json"), quiet, InstantSource.system());
    }

    private static ModelSpec spec(ComputeSettings settings) {
        return ModelSpec.ofText("demo", TestModels.demo(), CONTEXT, 4, settings);
    }

    private static Engine engine(Tuning tuning, NanoClock clock, MemoryLedger ledger, ModelSpec spec) {
        Engine engine = Engine.open(EngineSettings.defaults(), LoadedModels.backend(), ledger, clock, tuning);
        engine.register(spec, false);
        return engine;
    }

    private static List<int[]> prompts() {
        try (ModelRuntime runtime = LoadedModels.demo(1)) {
            return IntStream.range(0, 6).mapToObj(i -> LoadedModels.tokens(runtime,
                    LoadedModels.question(List.of("Hello", "What is a token?", "Tell me a story.", "Who are you?", "Count to ten.", "Thanks!").get(i))))
                    .toList();
        }
    }

    private static List<List<Integer>> answers(Engine engine, List<int[]> prompts) throws InterruptedException {
        var answers = new ArrayList<List<Integer>>();
        for (int[] prompt : prompts) {
            answers.add(answer(engine, prompt));
        }
        return answers;
    }

    private static List<Integer> answer(Engine engine, int[] prompt) throws InterruptedException {
        var tokens = IntStream.builder();
        try (ModelLease lease = engine.acquire("demo"); var arena = Arena.ofShared(); var ring = TokenRing.allocate(64, 0)) {
            MemorySegment segment = arena.allocateFrom(ValueLayout.JAVA_INT, prompt);
            Generation generation = lease.submit(new GenerationRequest(new RequestId("calibrated"), segment, prompt.length, ANSWER_TOKENS,
                    SamplerSettings.greedy(), null, -1, Long.MAX_VALUE, ring));
            while (!generation.isFinished()) {
                generation.await(1_000_000_000);
            }
            while (ring.size() > 0) {
                tokens.add(ring.token(ring.firstEntry()));
                ring.advance();
            }
            assertThat(generation.outcome()).containsInstanceOf(Generation.Outcome.Finished.class);
            return tokens.build().boxed().toList();
        }
    }
}
