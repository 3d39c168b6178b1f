package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.TestPosture;
import dev.darkbloom.agent.crypto.DeviceSigner;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelHealth;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.hardware.Finding;
import dev.darkbloom.agent.hardware.HardwareReport;
import dev.darkbloom.agent.hardware.Posture;
import dev.darkbloom.agent.hardware.PostureProbe;
import dev.darkbloom.agent.hardware.SystemMetrics;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.AttestationBlob;
import dev.darkbloom.agent.protocol.CapacityReport;
import dev.darkbloom.agent.protocol.Confidence;
import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import dev.darkbloom.agent.protocol.CoordinatorMessage.CapacityProbe;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import dev.darkbloom.agent.protocol.HeartbeatStatus;
import dev.darkbloom.agent.protocol.NodePosture;
import dev.darkbloom.agent.protocol.OfferedModel;
import dev.darkbloom.agent.protocol.PrivacyCapabilities;
import dev.darkbloom.agent.protocol.RejectionReason;
import dev.darkbloom.agent.protocol.RuntimeHashes;
import dev.darkbloom.agent.protocol.ServiceStats;
import dev.darkbloom.agent.protocol.SignedAttestation;
import dev.darkbloom.agent.protocol.SlotReport;
import dev.darkbloom.agent.protocol.SlotState;
import dev.darkbloom.agent.protocol.StatusStatement;
import dev.darkbloom.agent.protocol.ThermalState;
import dev.darkbloom.agent.protocol.ToolConstraints;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * What this node says of itself, made of what is measured; with a test posture, of what its owner claims towards a coordinator on this machine.
 *
 * <p>Borrows its parts. Any thread.
 */
public final class NodeReport implements NodeSelf {
    private static final double GIB = 1L << 30;
    /** Coordinators ask about prompts of some length up to a multiple of this. */
    private static final int BUCKET = 512;
    /** What a claimed posture says instead of a number of this machine's. */
    private static final String TEST_SERIAL_PREFIX = "TEST-";

    private final AgentConfig.Coordinator config;
    private final Parts parts;
    /** Most bytes in use that were seen. */
    private final AtomicLong peakBytes = new AtomicLong();
    private final ReentrantLock measuring = new ReentrantLock();
    private Posture measured; // guarded by measuring, as is the next
    private Instant measuredAt;

    /**
     * What a report is made of.
     *
     * @param models what is offered, and what is done with it
     * @param hardware what the machine is; measured once, since it stays
     * @param metrics how it fares; never blocks
     * @param account read before each registration
     * @param version the agent's own
     * @param publicKey the X25519 key of this process, in base64
     * @param serialOfTests stands for the machine's serial number where a posture is claimed; of the home, so that two homes are two machines
     */
    public record Parts(NodeModels models, ModelPool pool, MemoryLedger ledger, HardwareReport hardware, Supplier<SystemMetrics> metrics,
            PostureProbe posture, DeviceSigner signer, Supplier<Optional<Redacted>> account, String version, String publicKey,
            String serialOfTests, InstantSource wall) {}

    public NodeReport(AgentConfig.Coordinator config, Parts parts) {
        this.config = config;
        this.parts = parts;
    }

    @Override
    public void prepare() {
        if (measuring.tryLock()) { // one at a time is enough
            try {
                measure();
            } finally {
                measuring.unlock();
            }
        }
    }

    /** Returns what was measured lately, or will have been by who measures just now; measures where there is neither. */
    private Posture recentPosture() {
        measuring.lock();
        try {
            Duration age = measured == null ? Duration.ZERO : Duration.between(measuredAt, parts.wall().instant());
            return measured == null || age.isNegative() || age.compareTo(MEASURED_FOR) > 0 ? measure() : measured;
        } finally {
            measuring.unlock();
        }
    }

    private Posture measure() {
        measured = null;
        Instant before = parts.wall().instant();
        measured = parts.posture().posture();
        measuredAt = before;
        return measured;
    }

    @Override
    public AgentMessage.Register registration() {
        HardwareReport machine = parts.hardware();
        Posture posture = recentPosture();
        var statuses = parts.pool().models();
        var cores = machine.cores();
        var hardware = new dev.darkbloom.agent.protocol.HardwareReport(machine.model(), machine.chip().name(), machine.chip().family().toString(),
                machine.chip().tier().toString(), machine.memoryGib(), round(parts.ledger().budgetBytes() / GIB),
                new dev.darkbloom.agent.protocol.HardwareReport.CpuCores(cores.total(), cores.performance(), cores.efficiency()),
                machine.gpuCores().orElse(0), machine.bandwidthGBps().orElse(0));
        AgentMessage.ModelsUpdate offered = offered();
        return new AgentMessage.Register(
                hardware,
                offered.models(),
                config.backendName(),
                config.reportedVersion().orElse(parts.version()),
                parts.publicKey(),
                true,
                Optional.empty(),
                Optional.of(SignedAttestation.sign(blob(machine, posture), parts.signer()::sign)),
                measured(statuses, ModelStatus::prefillTokensPerSecond),
                measured(statuses, NodeReport::tokensPerSecondOfOne),
                parts.account().get(),
                hashes(),
                Optional.of(privacy(posture)),
                List.of(),
                config.privateOnly(),
                offered.toolConstraints(),
                Optional.empty());
    }

    private static OptionalDouble measured(List<ModelStatus> statuses, java.util.function.ToDoubleFunction<ModelStatus> rate) {
        return statuses.stream().mapToDouble(rate).filter(value -> value > 0).max();
    }

    private static double tokensPerSecondOfOne(ModelStatus status) {
        return status.health().streamTokensPerSecond();
    }

    private AttestationBlob blob(HardwareReport machine, Posture posture) {
        TestPosture claimed = config.testPosture();
        return new AttestationBlob(
                flag("authenticated_root_enabled", posture.authenticatedRoot()),
                Optional.empty(), // coordinators compare it with the hashes of their own releases, which this is not
                machine.chip().name(),
                Optional.of(parts.publicKey()),
                machine.model(),
                Optional.of(claimed.isOn() && claimed.flag("hypervisor_active").orElse(false)),
                machine.os().toString(),
                parts.signer().publicKey(),
                flag("rdma_disabled", posture.rdmaDisabled()),
                flag("secure_boot_enabled", posture.secureBoot()),
                claimed.isOn() ? claimed.flag("secure_enclave_available").orElse(true) : parts.signer().isInSecureEnclave(),
                claimed.isOn() ? Optional.of(TEST_SERIAL_PREFIX + parts.serialOfTests()) : machine.serialNumber(),
                flag("sip_enabled", posture.sip()),
                Optional.empty(),
                parts.wall().instant().truncatedTo(ChronoUnit.SECONDS).toString());
    }

    /** Returns what is claimed of a flag, or whether it was found; what is unknown is not promised. */
    private boolean flag(String name, Finding<Boolean> found) {
        TestPosture claimed = config.testPosture();
        return claimed.isOn() ? claimed.flag(name).orElse(true) : found.is(true);
    }

    private Optional<Boolean> told(String name, Finding<Boolean> found) {
        return config.testPosture().isOn() ? Optional.of(flag(name, found)) : found.value();
    }

    private PrivacyCapabilities privacy(Posture posture) {
        TestPosture claimed = config.testPosture();
        return new PrivacyCapabilities(
                claimed.flag("text_backend_inprocess").orElse(true), // llama.cpp runs in this process, by FFM
                claimed.flag("text_proxy_disabled").orElse(true), // and no proxy carries its text
                claimed.flag("python_runtime_locked").orElse(true), // there is no Python in it
                claimed.flag("dangerous_modules_blocked").orElse(true),
                flag("sip_enabled", posture.sip()),
                flag("anti_debug_enabled", posture.antiDebug()),
                flag("core_dumps_disabled", posture.coreDumpsDisabled()),
                flag("env_scrubbed", posture.environmentScrubbed()),
                claimed.isOn() && claimed.flag("hypervisor_active").orElse(false));
    }

    private RuntimeHashes hashes() {
        return new RuntimeHashes(Optional.empty(), config.runtimeHash(), Map.of());
    }

    @Override
    public AgentMessage.AttestationResponse answer(AttestationChallenge challenge) {
        Posture posture = parts.posture().posture();
        TestPosture claimed = config.testPosture();
        var told = new NodePosture(
                told("sip_enabled", posture.sip()),
                told("secure_boot_enabled", posture.secureBoot()),
                told("rdma_disabled", posture.rdmaDisabled()),
                Optional.of(claimed.isOn() && claimed.flag("hypervisor_active").orElse(false)));
        var statement = new StatusStatement(challenge.nonce(), challenge.timestamp(), told, Optional.empty(), Optional.empty(), hashes(), Map.of());
        return statement.signed(parts.publicKey(), parts.signer()::sign);
    }

    @Override
    public AgentMessage.Heartbeat heartbeat(boolean draining, int inFlight, ServiceStats stats, long capacitySeq) {
        List<ModelStatus> statuses = offeredModels();
        boolean busy = inFlight > 0 || statuses.stream().anyMatch(status -> status.busySlots() > 0 || status.waiting() > 0);
        List<String> warm = statuses.stream().filter(status -> status.state() == ModelState.READY).map(ModelStatus::id).toList();
        Optional<String> active = statuses.stream().filter(status -> status.busySlots() > 0).map(ModelStatus::id).findFirst();
        return new AgentMessage.Heartbeat(
                draining ? HeartbeatStatus.DRAINING : busy ? HeartbeatStatus.SERVING : HeartbeatStatus.IDLE,
                active,
                stats,
                warm,
                metrics(),
                Optional.of(capacity(statuses, inFlight, capacitySeq)),
                OptionalLong.empty());
    }

    private List<ModelStatus> offeredModels() {
        Set<String> ids = parts.models().offers().stream().map(NodeModels.Offer::id).collect(Collectors.toSet());
        return parts.pool().models().stream().filter(status -> ids.contains(status.id())).toList();
    }

    private dev.darkbloom.agent.protocol.SystemMetrics metrics() {
        SystemMetrics now = parts.metrics().get();
        Optional<String> claimed = config.testPosture().text("thermal_state");
        Optional<ThermalState> thermal = claimed.isPresent()
                ? claimed.map(word -> ThermalState.valueOf(word.toUpperCase(Locale.ROOT)))
                : Optional.of(ThermalState.valueOf(now.thermal().state().name()));
        return new dev.darkbloom.agent.protocol.SystemMetrics(now.memoryPressure().orElse(0), now.cpuUse().orElse(0), thermal);
    }

    private CapacityReport capacity(List<ModelStatus> statuses, int inFlight, long capacitySeq) {
        var slots = new ArrayList<SlotReport>();
        double activeBytes = 0;
        double cachedBytes = 0;
        long peak = 0;
        for (ModelStatus status : statuses) {
            slots.add(slot(status));
            ModelLoad load = status.load();
            activeBytes += load.activeBytes();
            cachedBytes += load.kvBytes(status.usedTokens() - load.runningTokens()); // prefixes that are kept for the next request
            peak += load.activeBytes(Math.max(load.runningTokens(), status.health().peakRunningTokens()));
        }
        SystemMetrics now = parts.metrics().get();
        double free = freeForLoadBytes(statuses);
        return new CapacityReport(slots, round(activeBytes / GIB), round(peakBytes.accumulateAndGet(peak, Math::max) / GIB),
                round(cachedBytes / GIB),
                round(parts.hardware().memoryBytes() / GIB), capacitySeq, OptionalDouble.of(round(free / GIB)),
                OptionalDouble.of(round(parts.ledger().budgetBytes() / GIB)), OptionalDouble.of(round(Math.max(0, parts.ledger().freeBytes()) / GIB)),
                Optional.of(statuses.stream().anyMatch(status -> status.state() == ModelState.LOADING)),
                Optional.of(new CapacityReport.Telemetry(now.lowPowerMode(), Optional.empty(), OptionalLong.empty(), OptionalLong.of(inFlight))));
    }

    private static SlotReport slot(ModelStatus status) {
        ModelLoad load = status.load();
        SlotState state = switch (status.state()) {
            case READY -> SlotState.RUNNING; // to an older coordinator "idle" is unknown
            case UNLOADED, LOADING -> SlotState.IDLE_SHUTDOWN; // a request is taken, and waits for the load
            case DRAINING -> SlotState.RELOADING;
            case FAILED -> SlotState.CRASHED;
        };
        ModelHealth health = status.health();
        return new SlotReport(status.id(), state, status.busySlots(), status.waiting(), load.runningTokens(), load.promisedTokens(),
                status.slots(), round(tokensPerSecondOfOne(status)), round(status.prefillTokensPerSecond()),
                Math.min(load.kvTokens(), load.runningTokens() + load.promisedTokens()), load.kvTokens(), health.queuedTokens(), load.kvBytesPerToken(),
                health.loadMillis(), Optional.of("contiguous"), Optional.empty(), status.steps(), health.admitted(), health.firstTokens(),
                rounded(health.secondsSinceStep()), rounded(health.secondsSinceFirstToken()), false, 0, 0);
    }

    @Override
    public AgentMessage.CapacityQuote quote(CapacityProbe probe, boolean draining, long capacitySeq) {
        Optional<ModelStatus> found = offeredModels().stream().filter(status -> status.id().equals(probe.model())).findFirst();
        if (found.isEmpty()) {
            return new AgentMessage.CapacityQuote(probe.quoteId(), capacitySeq, false, Optional.of(RejectionReason.SLOT_STATE), 0, 0, 0, 0,
                    Confidence.HIGH);
        }
        ModelStatus status = found.get();
        ModelLoad load = status.load();
        FirstContent first = FirstContent.of(status, probe.promptTokensBucket(), probe.maxOutputTokens());
        Optional<RejectionReason> rejection = draining ? Optional.of(RejectionReason.SLOT_STATE) : rejection(status, probe, first);
        return new AgentMessage.CapacityQuote(probe.quoteId(), capacitySeq, rejection.isEmpty(), rejection, round(first.ttftMs()),
                round(first.ttftP90Ms()), round(first.loadMs() + first.queueMs()),
                freeTokens(load), first.isMeasured() ? Confidence.HIGH : Confidence.LOW);
    }

    private static long freeTokens(ModelLoad load) {
        return Math.max(0, load.kvTokens() - load.runningTokens() - load.promisedTokens());
    }

    @Override
    public Optional<Room> room(String modelId, int promptTokens) {
        return offeredModels().stream().filter(status -> status.id().equals(modelId)).findFirst().map(status -> {
            FirstContent first = FirstContent.of(status, promptTokens, 1);
            return new Room(freeTokens(status.load()), first.loadMs() + first.queueMs());
        });
    }

    /** Returns what would refuse such a request, by the numbers that the engine itself goes by. */
    private Optional<RejectionReason> rejection(ModelStatus status, CapacityProbe probe, FirstContent first) {
        int shortest = (int) Math.clamp(probe.promptTokensBucket() - (BUCKET - 1), 1, Integer.MAX_VALUE);
        if (status.state() == ModelState.FAILED || status.state() == ModelState.DRAINING || status.isFull()) {
            return Optional.of(RejectionReason.SLOT_STATE);
        }
        if (probe.requiresVision()) {
            return Optional.of(RejectionReason.CAPABILITY);
        }
        if (status.contextTokens() > 0 && status.answerRoom(shortest) < 1) {
            return Optional.of(RejectionReason.TOKEN_BUDGET); // no prompt of this bucket leaves room for one token
        }
        if (status.state() == ModelState.UNLOADED && weightBytes(status.id()) > freeForLoadBytes(parts.pool().models())) {
            return Optional.of(RejectionReason.MEMORY_CAP);
        }
        if (probe.deadlineRemainingMs() > 0 && first.ttftMs() > probe.deadlineRemainingMs()) {
            return Optional.of(RejectionReason.DEADLINE);
        }
        return Optional.empty();
    }

    @Override
    public double leastFirstContentMs(String modelId, int promptTokens) {
        return offeredModels().stream().filter(status -> status.id().equals(modelId)).findFirst()
                .map(status -> FirstContent.of(status, promptTokens, 1).leastMs()).orElse(0.0);
    }

    private long weightBytes(String modelId) {
        return parts.models().offers().stream().filter(offer -> offer.id().equals(modelId)).mapToLong(NodeModels.Offer::sizeBytes).findFirst().orElse(0);
    }

    /** Returns the bytes that a load may take: what nobody has reserved, and what idle models would give up for it. */
    private long freeForLoadBytes(List<ModelStatus> statuses) {
        long idle = statuses.stream().filter(status -> status.busySlots() == 0 && status.waiting() == 0)
                .mapToLong(ModelStatus::reservedBytes).sum();
        return Math.max(0, parts.ledger().freeBytes()) + idle;
    }

    @Override
    public Optional<String> load(String modelId) throws InterruptedException {
        if (!isOffered(modelId)) {
            return Optional.of("this model is not offered here");
        }
        try {
            parts.models().load(modelId);
            return Optional.empty();
        } catch (AgentException e) {
            return Optional.of("the model cannot be loaded: " + e.code().wireCode());
        }
    }

    private boolean isOffered(String modelId) {
        return parts.models().offers().stream().anyMatch(offer -> offer.id().equals(modelId));
    }

    @Override
    public void prefetch(String modelId, long priority, NodeModels.PrefetchNews news) {
        parts.models().prefetch(modelId, priority, news);
    }

    @Override
    public void desired(List<DesiredModel> models) {
        parts.models().desired(models);
    }

    @Override
    public AgentMessage.ModelsUpdate offered() {
        return update(parts.models().offers());
    }

    /** Returns the message that tells of models. */
    public static AgentMessage.ModelsUpdate update(List<NodeModels.Offer> offers) {
        return new AgentMessage.ModelsUpdate(
                offers.stream().map(offer -> OfferedModel.text(offer.id(), offer.sizeBytes(), offer.quantization())).toList(),
                ToolConstraints.enforcedFor(offers.stream().filter(NodeModels.Offer::hasTools).map(NodeModels.Offer::id).toList()));
    }

    @Override
    public String signingKey() {
        return parts.signer().publicKey();
    }

    private static OptionalDouble rounded(OptionalDouble value) {
        return value.isPresent() ? OptionalDouble.of(round(value.getAsDouble())) : value;
    }

    /** Returns three decimals, which is all that is known. */
    private static double round(double value) {
        return Math.round(value * 1000) / 1000.0;
    }
}
