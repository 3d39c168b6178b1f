package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.DataSize;
import dev.darkbloom.agent.config.TestPosture;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.SoftwareSigner;
import dev.darkbloom.agent.engine.FirstTokenTimes;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelHealth;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.hardware.Chip;
import dev.darkbloom.agent.hardware.Cores;
import dev.darkbloom.agent.hardware.Finding;
import dev.darkbloom.agent.hardware.HardwareReport;
import dev.darkbloom.agent.hardware.OsVersion;
import dev.darkbloom.agent.hardware.Posture;
import dev.darkbloom.agent.hardware.PowerState;
import dev.darkbloom.agent.hardware.SystemMetrics;
import dev.darkbloom.agent.hardware.Thermal;
import dev.darkbloom.agent.hardware.ThermalState;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.Confidence;
import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import dev.darkbloom.agent.protocol.CoordinatorMessage.CapacityProbe;
import dev.darkbloom.agent.protocol.MessageEncoder;
import dev.darkbloom.agent.protocol.RejectionReason;
import dev.darkbloom.agent.protocol.ServiceStats;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NodeReportTest {
    private static final Instant NOW = Instant.parse("2026-11-29T12:00:00.5Z");

    @TempDir
    Path folder;

    private TestPosture claimed = TestPosture.OFF;
    private boolean proved = true;
    private Optional<Redacted> account = Optional.empty();
    private ModelState state = ModelState.READY;
    private int busy = 1;
    private int waiting = 2;
    private AgentException loadFailure;
    private long offeredBytes = 7;
    private Instant now = NOW;
    private int postures;
    private FirstTokenTimes times = FirstTokenTimes.NONE;

    @Test
    void theRegistrationIsWhatWasMeasured() throws IOException {
        account = Optional.of(new Redacted("eigeninference-pt-1"));
        JsonNode json = json(report().registration());

        assertThat(json.path("hardware").toString()).isEqualTo("{\"machine_model\":\"Mac16,10\",\"chip_name\":\"Apple M4\",\"chip_family\":\"M4\","
                + "\"chip_tier\":\"Base\",\"memory_gb\":16,\"memory_available_gb\":10.0,\"cpu_cores\":{\"total\":10,\"performance\":4,\"efficiency\":6},"
                + "\"gpu_cores\":10,\"memory_bandwidth_gbs\":120.0}");
        assertThat(json.path("models").path(0).path("id").asText()).isEqualTo("org/m");
        assertThat(json.path("models").path(0).has("weight_hash")).isFalse();
        assertThat(json.path("backend").asText()).isEqualTo("llama.cpp");
        assertThat(json.path("version").asText()).isEqualTo("0.1.0");
        assertThat(json.path("encrypted_response_chunks").asBoolean()).isTrue();
        assertThat(json.path("auth_token").asText()).isEqualTo("eigeninference-pt-1");
        assertThat(json.path("prefill_tps").asDouble()).isEqualTo(1000);
        assertThat(json.path("decode_tps").asDouble()).isEqualTo(40); // of one stream
        JsonNode blob = json.path("attestation").path("attestation");
        assertThat(blob.path("serialNumber").asText()).isEqualTo("SERIAL");
        assertThat(blob.path("secureEnclaveAvailable").asBoolean()).isFalse(); // a software key says so
        assertThat(blob.path("timestamp").asText()).isEqualTo("2026-11-29T12:00:00Z");
        assertThat(blob.path("encryptionPublicKey").asText()).isEqualTo("KEY");
    }

    @Test
    void whatIsNotProvedIsNotClaimed() throws IOException {
        proved = false;
        JsonNode json = json(report().registration());

        JsonNode privacy = json.path("privacy_capabilities");
        for (String flag : List.of("sip_enabled", "anti_debug_enabled", "core_dumps_disabled", "env_scrubbed", "hypervisor_active")) {
            assertThat(privacy.path(flag).asBoolean()).as(flag).isFalse();
        }
        assertThat(privacy.path("text_backend_inprocess").asBoolean()).isTrue();
        JsonNode blob = json.path("attestation").path("attestation");
        for (String flag : List.of("sipEnabled", "secureBootEnabled", "rdmaDisabled", "authenticatedRootEnabled")) {
            assertThat(blob.path(flag).asBoolean()).as(flag).isFalse();
        }
        var answer = json(report().answer(new AttestationChallenge("bm9uY2Vub25jZQ==", "2026-11-29T12:00:00Z")));
        assertThat(answer.has("sip_enabled")).isFalse(); // unknown is neither
    }

    @Test
    void aClaimedPostureIsAnEligibleMacsButForTheFieldsThatDiffer() throws IOException {
        proved = false;
        claimed = new TestPosture(true, Map.of("secure_boot_enabled", false), Map.of("thermal_state", "critical"));
        JsonNode json = json(report().registration());

        JsonNode blob = json.path("attestation").path("attestation");
        assertThat(blob.path("sipEnabled").asBoolean()).isTrue();
        assertThat(blob.path("secureBootEnabled").asBoolean()).isFalse();
        assertThat(blob.path("secureEnclaveAvailable").asBoolean()).isTrue();
        assertThat(blob.path("serialNumber").asText()).isEqualTo("TEST-HOME");
        assertThat(json.path("privacy_capabilities").path("env_scrubbed").asBoolean()).isTrue();
        assertThat(heartbeat(false).path("system_metrics").path("thermal_state").asText()).isEqualTo("critical");
    }

    @Test
    void whatWasMeasuredAheadIsToldUntilItIsTooOld() {
        NodeReport report = report();
        report.registration();
        assertThat(postures).isEqualTo(1);
        report.prepare();
        assertThat(postures).isEqualTo(2);
        now = now.plusSeconds(10);
        report.registration();
        assertThat(postures).isEqualTo(2);
        report.answer(new AttestationChallenge("bm9uY2Vub25jZQ==", "2026-11-29T12:00:00Z"));
        assertThat(postures).isEqualTo(3); // a challenge asks how it is now
        now = now.plusSeconds(1);
        report.registration();
        assertThat(postures).isEqualTo(4);
        now = now.minusSeconds(60); // a clock that was set back tells no age
        report.registration();
        assertThat(postures).isEqualTo(5);
    }

    @Test
    void aHeartbeatTellsSlotsMemoryAndLoad() throws IOException {
        JsonNode beat = heartbeat(false);

        assertThat(beat.path("status").asText()).isEqualTo("serving");
        assertThat(beat.path("warm_models").toString()).isEqualTo("[\"org/m\"]");
        JsonNode capacity = beat.path("backend_capacity");
        assertThat(capacity.path("total_memory_gb").asDouble()).isEqualTo(16);
        assertThat(capacity.path("gpu_memory_active_gb").asDouble()).isEqualTo(2.25); // weights, buffers, an eighth of the KV cache
        JsonNode slot = capacity.path("slots").path(0);
        assertThat(slot.path("model").asText()).isEqualTo("org/m");
        assertThat(slot.path("state").asText()).isEqualTo("running");
        assertThat(slot.path("num_running").asInt()).isEqualTo(1);
        assertThat(slot.path("num_waiting").asInt()).isEqualTo(2);
        assertThat(slot.path("active_tokens").asInt()).isEqualTo(1000);
        assertThat(slot.path("max_tokens_potential").asInt()).isEqualTo(500);
        assertThat(slot.path("active_token_budget_max").asInt()).isEqualTo(8000);
        assertThat(slot.path("observed_decode_tps").asDouble()).isEqualTo(40); // of one stream
        assertThat(slot.path("queued_token_budget").asInt()).isEqualTo(77);
        assertThat(slot.path("model_load_time_ms").asInt()).isEqualTo(700);
        assertThat(slot.path("steps_executed").asInt()).isEqualTo(5);
        assertThat(slot.path("admits").asInt()).isEqualTo(9);
        assertThat(slot.path("first_tokens_emitted").asInt()).isEqualTo(8);
        assertThat(slot.path("seconds_since_last_step").asDouble()).isEqualTo(0.25);
        assertThat(slot.path("seconds_since_last_first_token").asDouble()).isEqualTo(1.5);
        assertThat(capacity.path("gpu_memory_peak_gb").asDouble()).isEqualTo(3); // with half of the KV cache
        assertThat(capacity.path("gpu_memory_cache_gb").asDouble()).isEqualTo(0.25); // prefixes of requests that have ended
        assertThat(capacity.has("capacity_seq")).isFalse(); // older coordinators do not know it
    }

    @ParameterizedTest
    @CsvSource({"READY, running", "UNLOADED, idle_shutdown", "LOADING, idle_shutdown", "DRAINING, reloading", "FAILED, crashed"})
    void aSlotsStateIsInTheWordsOfOlderCoordinators(ModelState of, String word) throws IOException {
        state = of;

        assertThat(heartbeat(false).path("backend_capacity").path("slots").path(0).path("state").asText()).isEqualTo(word);
    }

    @Test
    void anIdleNodeSaysSoAndADrainingOneToo() throws IOException {
        busy = 0;
        waiting = 0;

        assertThat(heartbeat(false).path("status").asText()).isEqualTo("idle");
        assertThat(heartbeat(true).path("status").asText()).isEqualTo("draining");
    }

    @Test
    void aQuoteFollowsWhatTheNodeCanTake() {
        assertThat(quote("org/m", 512, 0).admissibleNow()).isTrue();
        assertThat(quote("org/m", 512, 0).ttftP50Ms()).isEqualTo(512);
        assertThat(quote("org/m", 512, 0).availableTokenBudget()).isEqualTo(6500);
        assertThat(quote("other", 512, 0).rejectionReason()).contains(RejectionReason.SLOT_STATE);
        assertThat(quote("org/m", 4096, 0).rejectionReason()).contains(RejectionReason.TOKEN_BUDGET);
        assertThat(quote("org/m", 512, 100).rejectionReason()).contains(RejectionReason.DEADLINE);
    }

    @Test
    void aQuoteRefusesWhereTheEngineWould() {
        busy = 8;
        waiting = 63;
        assertThat(quote("org/m", 512, 0).admissibleNow()).isTrue(); // slots and queue are counted together
        waiting = 64;
        assertThat(quote("org/m", 512, 0).rejectionReason()).contains(RejectionReason.SLOT_STATE);
        busy = 7;
        assertThat(quote("org/m", 512, 0).admissibleNow()).isTrue();
        waiting = 0;
        assertThat(quote("org/m", 2048, 0).admissibleNow()).isTrue(); // a prompt of 1,537 has room
        assertThat(quote("org/m", 2560, 0).rejectionReason()).contains(RejectionReason.TOKEN_BUDGET);
        state = ModelState.UNLOADED;
        assertThat(quote("org/m", 512, 0).admissibleNow()).isTrue();
        offeredBytes = 15L << 30;
        assertThat(quote("org/m", 512, 0).rejectionReason()).contains(RejectionReason.MEMORY_CAP);
    }

    @Test
    void aQuoteIsOfMeasuredRequestsWhereThereAreEnough() {
        assertThat(quote("org/m", 512, 0).confidence()).isEqualTo(Confidence.LOW);
        times = new FirstTokenTimes(IntStream.rangeClosed(1, 10).mapToObj(i -> new FirstTokenTimes.Sample(400, i * 10_000_000L)).toList());

        assertThat(quote("org/m", 512, 0).confidence()).isEqualTo(Confidence.HIGH);
        assertThat(quote("org/m", 512, 0).ttftP50Ms()).isEqualTo(60);
        assertThat(quote("org/m", 512, 0).ttftP90Ms()).isEqualTo(100);
        assertThat(quote("org/m", 1024, 0).confidence()).isEqualTo(Confidence.LOW); // twice as long as what was measured
        assertThat(report().leastFirstContentMs("org/m", 512)).isEqualTo(60);
        assertThat(report().leastFirstContentMs("org/m", 1024)).isEqualTo(1024);
        assertThat(report().leastFirstContentMs("other", 512)).isZero();
    }

    @Test
    void whatIsLoadedFirstTakesTheLastLoadsTimeMore() {
        state = ModelState.UNLOADED;

        assertThat(quote("org/m", 512, 0).ttftP50Ms()).isEqualTo(512 + 700);
        assertThat(quote("org/m", 512, 0).queueEstMs()).isEqualTo(700);
        assertThat(quote("org/m", 512, 0).confidence()).isEqualTo(Confidence.LOW);
        assertThat(quote("org/m", 512, 2000).admissibleNow()).isTrue();
        assertThat(quote("org/m", 512, 600).rejectionReason()).contains(RejectionReason.DEADLINE);
        assertThat(report().leastFirstContentMs("org/m", 1)).isGreaterThanOrEqualTo(700);
        assertThat(report().room("org/m", 512).orElseThrow().waitMs()).isEqualTo(700);
        assertThat(report().room("org/m", 512).orElseThrow().freeTokens()).isEqualTo(quote("org/m", 512, 0).availableTokenBudget());
        assertThat(report().room("other", 512)).isEmpty();
    }

    @Test
    void aLoadThatFailsSaysWhyWithoutNamingFiles() throws InterruptedException {
        assertThat(report().load("org/m")).isEmpty();
        assertThat(report().load("other")).isPresent();

        loadFailure = new AgentException(ErrorCode.MODEL_INVALID, "/home/me/secret.gguf is broken");
        assertThat(report().load("org/m")).contains("the model cannot be loaded: model_unavailable");
    }

    private AgentMessage.CapacityQuote quote(String model, long tokens, long deadlineMs) {
        return report().quote(new CapacityProbe("q", model, tokens, 10, false, 0, deadlineMs), false, 3);
    }

    private JsonNode heartbeat(boolean draining) throws IOException {
        return json(report().heartbeat(draining, 0, ServiceStats.of(3, 4), 0));
    }

    private NodeReport report() {
        var status = new ModelStatus("org/m", state, 1, Optional.empty(), 8, busy, waiting, 64, 2000, 2000, 0, 0, 0, 5, 0, 0, 0, 0, 0, 1000, 90, 4L << 30,
                new ModelLoad(1000, 500, 8000, 1L << 30, 2L << 30, 1L << 30), new ModelHealth(700, 9, 8, OptionalDouble.of(0.25),
                        OptionalDouble.of(1.5), 77, 4000, 40, times));
        ModelPool pool = new ModelPool() {
            @Override
            public ModelLease acquire(String modelId) {
                throw new UnsupportedOperationException();
            }

            @Override
            public List<ModelStatus> models() {
                return List.of(status);
            }
        };
        var flag = new Finding<>(proved ? Optional.of(true) : Optional.<Boolean>empty(), "because", NOW);
        var posture = new Posture(flag, flag, flag, flag, flag, flag, flag, flag, flag, new Finding<>(Optional.of("cd"), "libraries", NOW),
                new Finding<>(Optional.of("ab"), "files", NOW));
        var hardware = new HardwareReport("Mac16,10", HardwareReport.Form.DESKTOP, Chip.named("Apple M4"),
                new Cores(List.of(new Cores.Kind("Performance", 4), new Cores.Kind("Efficiency", 6))), OptionalInt.of(10), 16L << 30,
                OptionalDouble.of(120), Optional.of("SERIAL"), new OsVersion("macOS", "26.0", ""), false);
        var metrics = new SystemMetrics(OptionalDouble.of(0.5), OptionalDouble.of(0.25), Thermal.measured(ThermalState.NOMINAL, "x"), Optional.empty(),
                PowerState.UNKNOWN, NOW);
        var config = new AgentConfig.Coordinator(Optional.empty(), Optional.empty(), false, Duration.ofSeconds(5), "llama.cpp", Optional.empty(),
                Optional.empty(), false,
                claimed, new AgentConfig.Downloads(true, Optional.empty(), new DataSize(0), new DataSize(0)));
        var models = new FixedModels(List.of(new NodeModels.Offer("org/m", offeredBytes, "Q8_0", true)), Optional.ofNullable(loadFailure));
        return new NodeReport(config, new NodeReport.Parts(models, pool, new MemoryLedger(10L << 30), hardware, () -> metrics, () -> {
            postures++;
            return posture;
        }, SoftwareSigner.open(folder.resolve("key")), () -> account, "0.1.0", "KEY", "HOME", () -> now));
    }

    private static JsonNode json(AgentMessage message) throws IOException {
        try (Content frame = Content.confined(4096)) {
            new MessageEncoder().encode(message, frame);
            return new JsonMapper().readTree(frame.segment().toArray(ValueLayout.JAVA_BYTE));
        }
    }
}
