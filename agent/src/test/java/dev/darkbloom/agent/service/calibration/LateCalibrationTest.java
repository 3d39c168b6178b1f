package dev.darkbloom.agent.service.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.hardware.PowerState;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When what could not be measured is measured after all. */
@Timeout(60)
class LateCalibrationTest {
    @TempDir
    Path directory;

    private final List<String> retuned = new CopyOnWriteArrayList<>();
    private final Models models = new Models();
    private PowerState power = new PowerState(PowerState.Source.BATTERY, OptionalInt.of(50));
    private ModelSpec spec;
    private Calibrations calibrations;
    private LateCalibration late;

    /** One model, as the test says it is. */
    private static final class Models implements ModelPool {
        ModelState state = ModelState.READY;
        int busySlots;
        int waiting;
        volatile long steps;
        final Queue<RuntimeException> failures = new LinkedBlockingQueue<>();

        @Override
        public ModelLease acquire(String modelId) {
            throw new UnsupportedOperationException("nobody asks");
        }

        @Override
        public List<ModelStatus> models() {
            RuntimeException failure = failures.poll();
            if (failure != null) {
                throw failure;
            }
            return List.of(new ModelStatus("m", state, 1, Optional.empty(), 8, busySlots, waiting, 64, 2048, 0, 0, 0, 0, steps, 0, 0, 0, 0, 0, 0, 0, 0, ModelLoad.NONE));
        }
    }

    @BeforeEach
    void loadOnABattery() throws IOException {
        spec = ModelSpec.ofText("m", Files.writeString(directory.resolve("m.gguf"), "weights"), 2048, 8, ComputeSettings.safe(8, 2048, 512));
        calibrations = new Calibrations(AgentConfig.of(ConfigValues.DEFAULTS).backend(), new Machine("Apple M4", 16L << 30, 10, 4), "test",
                directory.resolve("calibration.json"), new MeasuringConditions(() -> power, OptionalDouble::empty), InstantSource.system());
        late = new LateCalibration(calibrations, models, retuned::add);
        calibrations.plan(spec);
    }

    @Test
    void aModelThatWaitsIsPlannedAnewOnceNobodyHasUsedItForAWhile() {
        late.look();
        assertThat(retuned).as("nobody knows yet since when it is quiet").isEmpty();
        models.steps = 7;
        late.look();
        assertThat(retuned).as("somebody has been there").isEmpty();

        late.look();

        assertThat(retuned).containsExactly("m");
    }

    @Test
    void aModelThatIsBusyAskedForOrNotThereIsLeftAlone() {
        late.look();
        models.busySlots = 1;
        late.look();
        models.busySlots = 0;
        models.waiting = 1;
        late.look();
        models.waiting = 0;
        models.state = ModelState.LOADING;
        late.look();

        assertThat(retuned).isEmpty();
    }

    @Test
    void onceMeasuredOrFoundToBeNoiseItIsLeftAlone() {
        late.look();
        power = PowerState.UNKNOWN;
        calibrations.plan(spec);
        calibrations.ended(spec, new Outcome.Kept(Outcome.Reason.NOISE, "noise"));
        late.look();
        calibrations.plan(spec);
        calibrations.ended(spec, new Outcome.Chosen(spec.compute(), 1, 0, EnumSet.allOf(Choice.class)));
        late.look();

        assertThat(retuned).isEmpty();
    }

    @Test
    void oneThatARequestCutOffIsTriedAgain() {
        late.look();
        power = PowerState.UNKNOWN;
        calibrations.plan(spec);
        calibrations.ended(spec, new Outcome.Kept(Outcome.Reason.CUT_OFF, "it was cut off"));

        late.look();

        assertThat(retuned).containsExactly("m");
    }

    @Test
    void itLooksByItselfUntilItIsClosedWhateverGoesWrong() throws Exception {
        models.failures.add(new IllegalStateException("boom"));
        var asked = new CountDownLatch(3);
        try (var _ = LateCalibration.open(calibrations, models, _ -> asked.countDown(), Duration.ofMillis(1))) {
            assertThat(asked.await(30, TimeUnit.SECONDS)).isTrue();
        }
    }
}
