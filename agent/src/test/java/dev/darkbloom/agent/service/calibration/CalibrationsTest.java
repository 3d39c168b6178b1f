package dev.darkbloom.agent.service.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.engine.calibration.Tuning.Plan;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.hardware.PowerState;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.ModelSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.InstantSource;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CalibrationsTest {
    private static final Instant NOW = Instant.parse("2026-11-24T10:00:00Z");
    private static final ComputeSettings SAFE = ComputeSettings.safe(8, 2048, 512);
    private static final ComputeSettings FOUND = SAFE.withThreads(6).withPoll(1).withFlashAttention(FlashAttention.OFF)
            .withPrefillNanosPerToken(250_000);
    private static final Outcome.Chosen CHOSEN = new Outcome.Chosen(FOUND, 1.5, 0.04, EnumSet.of(Choice.THREADS, Choice.POLL));

    @TempDir
    Path directory;

    private Path file;
    private Path weights;
    private PowerState power = new PowerState(PowerState.Source.MAINS, OptionalInt.empty());
    private double load;
    private String library = "v0.4.0 npm mac-arm64";
    private Machine machine = new Machine("Apple M4", 16L << 30, 10, 4);
    private ConfigValues values = ConfigValues.DEFAULTS;

    @BeforeEach
    void makeAModel() throws IOException {
        file = directory.resolve("calibration.json");
        weights = Files.writeString(directory.resolve("m.gguf"), "weights");
    }

    @Test
    void anUnknownModelIsMeasuredWithWhatTheOwnerHasLeftOpen() {
        assertThat(calibrations().plan(spec())).isInstanceOfSatisfying(Plan.Measure.class, measure -> {
            assertThat(measure.search().open()).isEqualTo(EnumSet.allOf(Choice.class));
            assertThat(measure.search().mostThreads()).isEqualTo(4);
        });

        set(ConfigKey.THREADS, "3");
        set(ConfigKey.FLASH_ATTENTION, "on");
        assertThat(calibrations().plan(spec())).isInstanceOfSatisfying(Plan.Measure.class,
                measure -> assertThat(measure.search().open()).isEqualTo(Set.of(Choice.POLL, Choice.UBATCH)));
    }

    @Test
    void whatWasFoundIsUsedByTheNextAgentWhereverTheFileLiesThen() throws IOException {
        Calibrations first = calibrations();
        first.plan(spec());
        first.ended(spec(), CHOSEN);
        first.uses(spec(), FOUND);
        weights = Files.move(weights, directory.resolve("moved.gguf"));

        Calibrations second = calibrations();

        assertThat(second.plan(spec())).isEqualTo(new Plan.Use(FOUND));
        second.uses(spec(), FOUND);
        assertThat(second.report("m")).isEqualTo(first.report("m")).hasValueSatisfying(report -> {
            assertThat(report.calibration()).isEqualTo("measured");
            assertThat(report.measuredAt()).contains(NOW);
            assertThat(report.threads()).isEqualTo(6);
            assertThat(report.flashAttention()).isEqualTo("off");
            assertThat(report.measuredPrefillTokensPerSecond()).isEqualTo(4000);
            assertThat(report.speedup()).isEqualTo(1.5);
            assertThat(report.reason()).isEmpty();
        });
        assertThat(file).content().contains("\"measured_at\" : \"2026-11-24T10:00:00Z\"", "\"flash_attention\" : \"off\"",
                "\"prefill_nanos_per_token\" : 250000");
    }

    @Test
    void theFileBelongsToItsOwner() throws IOException {
        remember();

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
    }

    @Test
    void anotherModelLibraryMachineOrFormIsMeasuredAnew() throws IOException {
        remember();
        assertThat(calibrations().plan(spec())).isInstanceOf(Plan.Use.class);

        assertThat(calibrations().plan(spec().inStreams(512, 2))).as("two slots").isInstanceOf(Plan.Measure.class);
        library = "v0.4.0 source mac-arm64";
        assertThat(calibrations().plan(spec())).as("another build").isInstanceOf(Plan.Measure.class);
        library = "v0.4.0 npm mac-arm64";
        machine = new Machine("Apple M4", 16L << 30, 10, 3);
        assertThat(calibrations().plan(spec())).as("another machine").isInstanceOf(Plan.Measure.class);
        machine = new Machine("Apple M4", 16L << 30, 10, 4);
        Files.writeString(weights, "WEIGHTS");
        assertThat(calibrations().plan(spec())).as("other weights of the same size").isInstanceOf(Plan.Measure.class);
    }

    @Test
    void moreSlotsThanAreMeasuredMakeNoDifference() {
        remember();

        assertThat(calibrations().plan(spec().inStreams(1024, 6))).isInstanceOf(Plan.Use.class);
    }

    @Test
    void whatTheOwnerSetsLaterIsMeasuredAroundAndUndoneWithoutMeasuring() {
        remember();
        ConfigValues before = values;
        set(ConfigKey.THREADS, "8");
        assertThat(calibrations().plan(spec())).isInstanceOf(Plan.Measure.class);

        values = before;

        assertThat(calibrations().plan(spec())).isEqualTo(new Plan.Use(FOUND));
    }

    @Test
    void onABatteryItWaits() {
        power = new PowerState(PowerState.Source.BATTERY, OptionalInt.of(83));

        assertWaits(calibrations(), "mains power (the machine runs on its battery at 83 %)");
    }

    @Test
    void onAUpsItWaits() {
        power = new PowerState(PowerState.Source.UPS, OptionalInt.empty());

        assertWaits(calibrations(), "mains power (the machine runs on a UPS)");
    }

    @Test
    void besideOthersWorkItWaitsAndMeasuresAtTheNextLoad() {
        load = 0.6;
        Calibrations calibrations = calibrations();
        assertWaits(calibrations, "a quiet machine (other programs take 60 % of it)");

        load = 0.1;

        assertThat(calibrations.plan(spec())).isInstanceOf(Plan.Measure.class);
    }

    @Test
    void oneThatWasCutOffWaitsForAMomentWithoutRequests() {
        Calibrations calibrations = calibrations();
        calibrations.plan(spec());
        assertThat(calibrations.isWaiting("m")).isFalse();

        calibrations.ended(spec(), new Outcome.Kept(Outcome.Reason.CUT_OFF, "it was cut off"));
        calibrations.uses(spec(), SAFE);

        assertThat(calibrations.isWaiting("m")).isTrue();
        assertThat(calibrations.report("m")).hasValueSatisfying(report -> {
            assertThat(report.calibration()).isEqualTo("waiting");
            assertThat(report.reason()).contains("a moment without requests (one came while it was measured)");
        });
        assertThat(calibrations.plan(spec())).isInstanceOf(Plan.Measure.class);
    }

    @Test
    void powerThatNobodyKnowsStopsNothing() {
        power = PowerState.UNKNOWN;

        assertThat(calibrations().plan(spec())).isInstanceOf(Plan.Measure.class);
    }

    @Test
    void whatIsKnownIsUsedOnABatteryToo() {
        remember();
        power = new PowerState(PowerState.Source.BATTERY, OptionalInt.of(83));

        assertThat(calibrations().plan(spec())).isEqualTo(new Plan.Use(FOUND));
    }

    @Test
    void aMeasurementThatFoundNothingSaysWhyAndIsTriedAgain() {
        Calibrations calibrations = calibrations();
        calibrations.plan(spec());
        calibrations.ended(spec(), new Outcome.Kept(Outcome.Reason.NOISE, "the same settings differed by 40 %"));
        calibrations.uses(spec(), SAFE);

        assertThat(calibrations.report("m")).hasValueSatisfying(report -> {
            assertThat(report.calibration()).isEqualTo("kept");
            assertThat(report.reason()).contains("the same settings differed by 40 %");
            assertThat(report.threads()).isEqualTo(8);
        });
        assertThat(file).doesNotExist();
        assertThat(calibrations.plan(spec())).isInstanceOf(Plan.Measure.class);
    }

    @Test
    void settingsThatDidNotFitAreNotCalledMeasured() {
        remember();
        Calibrations calibrations = calibrations();
        calibrations.plan(spec());

        calibrations.uses(spec(), SAFE);

        assertThat(calibrations.report("m")).hasValueSatisfying(report -> {
            assertThat(report.calibration()).isEqualTo("kept");
            assertThat(report.reason()).contains("what was measured leaves too little memory");
        });
    }

    @Test
    void onDemandItMeasuresOnceWhateverTheConditions() {
        remember();
        power = new PowerState(PowerState.Source.BATTERY, OptionalInt.of(83));
        Calibrations calibrations = calibrations();

        calibrations.demand(spec());

        assertThat(calibrations.plan(spec())).isInstanceOf(Plan.Measure.class);
        assertThat(calibrations.plan(spec())).isEqualTo(new Plan.Use(FOUND));
    }

    @Test
    void switchedOffNothingIsMeasuredReusedOrDemanded() {
        remember();
        set(ConfigKey.CALIBRATION, "off");
        Calibrations calibrations = calibrations();

        assertThat(calibrations.plan(spec())).isEqualTo(new Plan.Use(SAFE));
        assertThatThrownBy(() -> calibrations.demand(spec())).isInstanceOf(AgentException.class)
                .hasMessage("model m is not calibrated: backend.calibration is off");
    }

    @Test
    void embeddingModelsAndOwnersWhoHaveDecidedAreLeftAlone() {
        var embedding = new ModelSpec("m", List.of(weights), 512, 4, spec().kvLayout(), 2048, 0, true, "", ComputeSettings.safe(8, 512, 512));
        Calibrations calibrations = calibrations();
        assertThat(calibrations.plan(embedding)).isEqualTo(new Plan.Use(embedding.compute()));
        calibrations.uses(embedding, embedding.compute());
        assertThat(calibrations.report("m")).hasValueSatisfying(report -> {
            assertThat(report.calibration()).isEqualTo("off");
            assertThat(report.reason()).contains("embedding models are not measured");
        });

        set(ConfigKey.THREADS, "2");
        set(ConfigKey.FLASH_ATTENTION, "off");
        set(ConfigKey.THREAD_POLLING, "0");
        set(ConfigKey.UBATCH_TOKENS, "256");
        assertThat(calibrations().plan(spec())).isEqualTo(new Plan.Use(SAFE));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "nonsense", "[]", "{\"format\":2}", "{\"format\":1,\"calibrations\":[{}]}",
        "{\"format\":1,\"calibrations\":[{\"measured_at\":\"2026-11-24T10:00:00Z\",\"threads\":0,\"thread_polling\":0,"
                + "\"flash_attention\":\"auto\",\"ubatch_tokens\":512,\"prefill_nanos_per_token\":1}]}"})
    void aBrokenOrForeignFileIsIgnoredAndReplaced(String content) throws IOException {
        Files.writeString(file, content);

        assertThat(calibrations().plan(spec())).isInstanceOf(Plan.Measure.class);
        remember();

        assertThat(calibrations().plan(spec())).isEqualTo(new Plan.Use(FOUND));
    }

    @Test
    void aModelFileThatIsGoneDoesNotStopTheLoadFromSayingSo() throws IOException {
        Files.delete(weights);

        assertThat(calibrations().plan(spec())).isEqualTo(new Plan.Use(SAFE));
    }

    @Test
    void theOldestOfManyAreForgotten() throws IOException {
        for (int i = 0; i < 70; i++) {
            library = "build " + i;
            remember();
        }

        assertThat(CalibrationCodec.fromJson(Files.readString(file))).hasSize(64).first()
                .satisfies(newest -> assertThat(newest.key().library()).isEqualTo("build 69"));
    }

    private void assertWaits(Calibrations calibrations, String what) {
        assertThat(calibrations.plan(spec())).isEqualTo(new Plan.Use(SAFE));
        calibrations.uses(spec(), SAFE);
        assertThat(calibrations.report("m")).hasValueSatisfying(report -> {
            assertThat(report.calibration()).isEqualTo("waiting");
            assertThat(report.reason()).contains(what);
        });
    }

    private void remember() {
        Calibrations calibrations = calibrations();
        calibrations.demand(spec());
        calibrations.plan(spec());
        calibrations.ended(spec(), CHOSEN);
    }

    private void set(ConfigKey<?> key, String value) {
        values = values.with(ConfigAddress.of(key), value, "test");
    }

    private ModelSpec spec() {
        return ModelSpec.ofText("m", weights, 2048, 8, SAFE);
    }

    private Calibrations calibrations() {
        return new Calibrations(AgentConfig.of(values).backend(), machine, library, file,
                new MeasuringConditions(() -> power, () -> OptionalDouble.of(load)), InstantSource.fixed(NOW));
    }
}
