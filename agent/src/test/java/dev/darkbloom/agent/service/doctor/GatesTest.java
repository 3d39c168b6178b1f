package dev.darkbloom.agent.service.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.DataSize;
import dev.darkbloom.agent.config.TestPosture;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.LinkEnd;
import dev.darkbloom.agent.coordinator.LinkState;
import dev.darkbloom.agent.coordinator.LinkStatus;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.hardware.Finding;
import dev.darkbloom.agent.hardware.Posture;
import dev.darkbloom.agent.hardware.PowerState;
import dev.darkbloom.agent.hardware.SystemMetrics;
import dev.darkbloom.agent.hardware.Thermal;
import dev.darkbloom.agent.hardware.ThermalState;
import dev.darkbloom.agent.protocol.CoordinatorMessage.Mismatch;
import dev.darkbloom.agent.service.doctor.Gate.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class GatesTest {
    private static final Instant NOW = Instant.parse("2026-11-29T12:00:00Z");

    /** An eligible node, of which each case changes one thing. */
    private LinkState state = LinkState.CONNECTED;
    private Optional<LinkEnd> lastEnd = Optional.empty();
    private Optional<Instant> challenge = Optional.of(NOW.minusSeconds(10));
    private Optional<LinkStatus.Trust> trust = Optional.empty();
    private Optional<LinkStatus.Trust> trustBefore = Optional.empty();
    private List<Mismatch> mismatches = List.of();
    private Optional<LinkStatus.Listing> listed = Optional.of(new LinkStatus.Listing(true, "hardware", "online", List.of("m"), NOW));
    private Optional<Instant> served = Optional.of(NOW.minusSeconds(3));
    private Optional<LinkStatus.Manifest> manifest = Optional.of(new LinkStatus.Manifest(true, NOW));
    private String backend = "inprocess-mlx";
    private boolean later;
    private TestPosture claimed = TestPosture.OFF;
    private Optional<Posture> posture = Optional.of(posture(true));
    private ModelState model = ModelState.READY;
    private Optional<String> modelError = Optional.empty();
    private Thermal thermal = Thermal.measured(ThermalState.NOMINAL, "sensor");
    private Gates.Account account = new Gates.Account.Here();

    private Map<String, Double> catalogueGb = Map.of();
    private long memoryBytes = 16L << 30;

    @Test
    void aNodeOfWhichEverythingIsProvedIsEligible() {
        assertThat(gates().eligible()).isEqualTo(Verdict.PASS);
        assertThat(gates().list()).extracting(Gate::name).containsExactly("network", "login", "trust", "posture", "challenge", "version", "backend", "catalogue",
                "runtime", "memory", "thermal", "schedule", "drain");
        assertThat(gates().list()).allSatisfy(gate -> assertThat(gate.provenAt()).isPresent());
    }

    @ParameterizedTest
    @EnumSource(value = LinkState.class, names = {"WAITING", "UNAUTHORIZED", "OUTDATED", "NOT_A_COORDINATOR", "UNTRUSTED", "PROXY_REFUSED", "REPLACED", "STOPPED"})
    void withoutAConnectionNothingComesAndTheReasonIsTold(LinkState without) {
        state = without;
        lastEnd = Optional.of(new LinkEnd(LinkEnd.Kind.UNREACHABLE, "no connection: refused"));

        assertThat(failed("network").detail()).contains(without.word()).contains("refused");
        assertThat(failed("network").remedy()).isEqualTo(without.advice());
    }

    @Test
    void whatIsKnownOfTheReasonIsTheRemedy() {
        state = LinkState.UNTRUSTED;
        lastEnd = Optional.of(new LinkEnd(LinkEnd.Kind.UNTRUSTED, "expired", Optional.of("renew it"), Optional.empty()));
        assertThat(failed("network").remedy()).isEqualTo("renew it");

        state = LinkState.CONNECTING; // about to find out whether it still holds
        assertThat(failed("network").remedy()).isEqualTo(LinkState.CONNECTING.advice());
    }

    @Test
    void aMissingLoginDoesNotStopWork() {
        account = new Gates.Account.None();

        assertThat(gate("login").verdict()).isEqualTo(Verdict.FAIL);
        assertThat(gate("login").isRequired()).isFalse();
        assertThat(gates().eligible()).isEqualTo(Verdict.PASS);
    }

    @Test
    void aLoginThatIsNoneHereIsNamedWithItsRemedy() {
        account = new Gates.Account.Elsewhere("wss://a.example/ws/provider");
        assertThat(gate("login").detail()).startsWith("logged in at wss://a.example/ws/provider, not at wss://c.example/ws/provider");

        account = new Gates.Account.Damaged("the file holds something else");
        assertThat(gate("login")).extracting(Gate::verdict, Gate::detail, Gate::remedy)
                .containsExactly(Verdict.FAIL, "the file holds something else", "run: darkbloom-agent login");
    }

    @Test
    void whatTheCoordinatorSaysOfTrustWinsOverItsList() {
        trust = Optional.of(new LinkStatus.Trust("hardware", "untrusted", Optional.of("bad chunk"), NOW));

        assertThat(failed("trust").detail()).contains("untrusted").contains("bad chunk");
    }

    @Test
    void whatACoordinatorDoesNotTellIsUnknownUntilItRoutesARequestHere() {
        served = Optional.empty();
        manifest = Optional.empty();
        listed = Optional.empty();
        backend = "llama.cpp";
        var unknown = List.of("trust", "version", "backend", "catalogue", "runtime");
        assertThat(unknown).allSatisfy(name -> assertThat(gate(name)).extracting(Gate::verdict, Gate::provenAt)
                .containsExactly(Verdict.UNKNOWN, Optional.empty()));
        assertThat(gates().eligible()).isEqualTo(Verdict.UNKNOWN);

        trustBefore = Optional.of(new LinkStatus.Trust("hardware", "online", Optional.empty(), NOW));
        assertThat(gate("trust").verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(gate("trust").detail()).endsWith("; last told at " + NOW + ": level hardware, online");

        served = Optional.of(NOW.minusSeconds(7));
        assertThat(unknown).allSatisfy(name -> assertThat(gate(name)).extracting(Gate::verdict, Gate::provenAt)
                .containsExactly(Verdict.PASS, served));
        assertThat(gates().eligible()).isEqualTo(Verdict.PASS);

        state = LinkState.WAITING; // it was another connection
        assertThat(gate("version").verdict()).isEqualTo(Verdict.UNKNOWN);
    }

    @ParameterizedTest
    @CsvSource({"hardware, online, PASS", "self_signed, online, UNKNOWN", "none, online, UNKNOWN", "'', '', UNKNOWN", "hardware, untrusted, FAIL",
            "self_signed, offline, FAIL"})
    void aTrustLevelProvesOnlyWhatNoFloorCanExceed(String level, String status, Verdict verdict) {
        served = Optional.empty();
        listed = Optional.of(new LinkStatus.Listing(true, level, status, List.of("m"), NOW));

        assertThat(gate("trust").verdict()).isEqualTo(verdict);
        served = Optional.of(NOW);
        assertThat(gate("trust").verdict()).isEqualTo(verdict == Verdict.FAIL ? Verdict.FAIL : Verdict.PASS);
    }

    @Test
    void theVersionThatIsRegisteredIsNamed() {
        served = Optional.empty();

        assertThat(gate("version").detail()).isEqualTo("registered as 0.4.9; coordinators do not tell their minimum");
        assertThat(gates().list()).filteredOn(gate -> gate.verdict() == Verdict.UNKNOWN).extracting(Gate::name).containsExactly("version");
    }

    @Test
    void whatOfThePostureIsNotProvedIsNamedWithItsProof() {
        posture = Optional.of(posture(false));

        assertThat(failed("posture").detail()).contains("System Integrity Protection (because)").contains("core dumps off");
    }

    @Test
    void aClaimedPostureSaysThatItIsClaimed() {
        claimed = TestPosture.ELIGIBLE;
        assertThat(List.of("posture", "trust", "challenge")).allSatisfy(name -> assertThat(gate(name).detail()).startsWith("test posture: "));

        claimed = new TestPosture(true, Map.of("sip_enabled", false), Map.of("thermal_state", "critical"));
        assertThat(failed("posture").detail()).contains("sip_enabled");
        assertThat(gate("thermal").verdict()).isEqualTo(Verdict.FAIL);

        claimed = new TestPosture(true, Map.of("rdma_disabled", false, "hypervisor_active", true), Map.of());
        assertThat(gate("posture").verdict()).isEqualTo(Verdict.PASS);
    }

    @Test
    void anOldChallengeClosesItsGateAndNoneIsUnknown() {
        challenge = Optional.of(NOW.minus(Duration.ofMinutes(7)));
        assertThat(failed("challenge").detail()).contains("7 min");

        challenge = Optional.empty();
        assertThat(gate("challenge").verdict()).isEqualTo(Verdict.UNKNOWN);
    }

    @Test
    void anHonestEngineNameIsUnknownToTheOriginalCoordinators() {
        backend = "llama.cpp";
        served = Optional.empty();

        assertThat(gate("backend").verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(gates().eligible()).isEqualTo(Verdict.UNKNOWN);
    }

    @ParameterizedTest
    @CsvSource({"inprocess-mlx, false, PASS", "mlx-swift, false, UNKNOWN", "mlx-swift, true, PASS", "inprocess-mlx, true, UNKNOWN"})
    void anEngineNameOpensTheGateOfItsOwnEraOnly(String name, boolean isLater, Verdict verdict) {
        backend = name;
        later = isLater;
        served = Optional.empty();

        assertThat(gate("backend").verdict()).isEqualTo(verdict);
    }

    @Test
    void modelsThatTheCatalogueDoesNotHaveAreNamed() {
        listed = Optional.of(new LinkStatus.Listing(true, "self_signed", "online", List.of(), NOW));

        assertThat(failed("catalogue").detail()).contains("none of: m");
        assertThat(failed("catalogue").remedy()).contains("models add");
    }

    @Test
    void hashesAndAMissingManifestCloseTheRuntimesGate() {
        mismatches = List.of(new Mismatch("runtime", "ab", "(missing)"));
        assertThat(failed("runtime").detail()).contains("runtime");

        mismatches = List.of();
        manifest = Optional.of(new LinkStatus.Manifest(false, NOW));
        assertThat(failed("runtime").detail()).contains("no runtime manifest");

        manifest = Optional.empty();
        served = Optional.empty();
        assertThat(gate("runtime").verdict()).isEqualTo(Verdict.UNKNOWN);
    }

    @Test
    void aModelThatCannotBeLoadedClosesTheGateAndOneThatSleepsDoesNot() {
        model = ModelState.FAILED;
        modelError = Optional.of("needs 9 bytes; 3 are free");
        assertThat(failed("memory").detail()).contains("needs 9 bytes");

        model = ModelState.UNLOADED;
        modelError = Optional.empty();
        assertThat(gate("memory").verdict()).isEqualTo(Verdict.UNKNOWN);
    }

    @Test
    void theCoordinatorsOwnSumOfMemoryDecidesForAModelThatIsNotLoaded() {
        model = ModelState.UNLOADED;
        catalogueGb = Map.of("m", 27.0);
        assertThat(failed("memory").detail()).contains("m: 27.0 GB of weights and 3.3 GB for a request, where 16.0 GB are free");
        assertThat(failed("memory").remedy()).contains("startup_preload");

        memoryBytes = 32L << 30;
        assertThat(gate("memory").verdict()).isEqualTo(Verdict.PASS);

        memoryBytes = 16L << 30;
        model = ModelState.READY;
        assertThat(gate("memory").detail()).isEqualTo("there is room for m (loaded)");

        memoryBytes = 3L << 30;
        assertThat(failed("memory").detail()).contains("0.0 GB of weights");
    }

    @Test
    void heatAndADrainCloseTheirGates() {
        thermal = Thermal.measured(ThermalState.CRITICAL, "sensor");
        assertThat(failed("thermal").detail()).contains("sensor");

        thermal = Thermal.assumed("no sensor");
        assertThat(gate("thermal").detail()).contains("not measured: no sensor");

        state = LinkState.DRAINING;
        assertThat(failed("drain").verdict()).isEqualTo(Verdict.FAIL);
    }

    private Gate failed(String name) {
        Gate gate = gate(name);
        assertThat(gate.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(gates().eligible()).isEqualTo(Verdict.FAIL);
        return gate;
    }

    private Gate gate(String name) {
        return gates().list().stream().filter(gate -> gate.name().equals(name)).findFirst().orElseThrow();
    }

    private Gates gates() {
        var config = new AgentConfig.Coordinator(Optional.empty(), Optional.empty(), false, Duration.ofSeconds(5), backend, Optional.empty(),
                Optional.empty(), false, claimed,
                new AgentConfig.Downloads(true, Optional.empty(), new DataSize(0), new DataSize(0)));
        var link = new LinkStatus(CoordinatorAddress.parse("wss://c.example"), Optional.empty(), state, NOW, 0, Optional.empty(), lastEnd,
                Optional.of(NOW), Optional.of(NOW), challenge, served, later, trust, mismatches, listed, manifest, catalogueGb,
                Optional.empty(), new LinkStatus.Traffic(0, 0, 0, 0, 0, 0, 0, 0, List.of()));
        var status = new ModelStatus("m", model, 0, modelError, 8, 0, 0, 64, 2048, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ModelLoad.NONE);
        var metrics = new SystemMetrics(OptionalDouble.empty(), OptionalDouble.empty(), thermal, Optional.empty(), PowerState.UNKNOWN, NOW);
        return Gates.of(new Gates.Facts(config, link, List.of("m"), List.of(status), memoryBytes, account, "0.4.9", posture, metrics, trustBefore, NOW));
    }

    private static Posture posture(boolean proved) {
        var flag = new Finding<>(proved ? Optional.of(true) : Optional.<Boolean>empty(), "because", NOW);
        return new Posture(flag, flag, flag, flag, flag, flag, flag, flag, flag, new Finding<>(Optional.of("cd"), "libraries", NOW),
                new Finding<>(Optional.of("ab"), "files", NOW));
    }
}
