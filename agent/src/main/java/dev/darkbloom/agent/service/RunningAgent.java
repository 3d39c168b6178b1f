package dev.darkbloom.agent.service;

import dev.darkbloom.agent.api.ApiServer;
import dev.darkbloom.agent.api.DiscoveryRecord;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.hardware.MachineProbe;
import dev.darkbloom.agent.service.calibration.Calibrations;
import dev.darkbloom.agent.service.control.ControlServer;
import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The agent as the control socket sees it, from the first moment of a start: parts that are not there yet are reported as absent. Any thread.
 */
final class RunningAgent implements ControlServer.Handler {
    private final StartOptions options;
    private final Lifecycle lifecycle;
    private final StopSignal stop;
    private final MachineProbe probe;
    private final long physicalBytes;
    private final Instant startedAt = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    private final AgentVersion version = AgentVersion.current();
    private final CountDownLatch closing = new CountDownLatch(1);
    private volatile Optional<Models> models = Optional.empty();
    private volatile Optional<Listening> listening = Optional.empty();
    private volatile Optional<CoordinatorParts> coordinator = Optional.empty();

    private record Models(Engine engine, MemoryLedger ledger, Calibrations calibrations, ServedModels served) {}

    private record Listening(ApiServer api, DiscoveryRecord record, boolean isReachableFromOutside) {}

    RunningAgent(StartOptions options, Lifecycle lifecycle, StopSignal stop, MachineProbe probe, long physicalBytes) {
        this.options = options;
        this.lifecycle = lifecycle;
        this.stop = stop;
        this.probe = probe;
        this.physicalBytes = physicalBytes;
    }

    /** Tells that there is an engine. */
    void serves(Engine engine, MemoryLedger ledger, Calibrations calibrations, ServedModels served) {
        models = Optional.of(new Models(engine, ledger, calibrations, served));
    }

    /** Tells that there is an endpoint. */
    void listens(ApiServer api, DiscoveryRecord record, boolean isReachableFromOutside) {
        listening = Optional.of(new Listening(api, record, isReachableFromOutside));
    }

    /** Tells that there is a connection to a coordinator, up or not. */
    void connects(CoordinatorParts parts) {
        coordinator = Optional.of(parts);
    }

    /** Tells that the parts are about to be closed. */
    void closes() {
        closing.countDown();
    }

    @Override
    public StatusReport status() {
        AgentState state = lifecycle.state();
        return new StatusReport(
                state.word(),
                state.advice(),
                switch (options.audience()) {
                    case LOCAL -> "local";
                    case COORDINATOR -> "coordinator";
                    case BOTH -> "coordinator and local";
                },
                ProcessHandle.current().pid(),
                version.agent(),
                version.llamaCpp(),
                version.java(),
                version.platform(),
                startedAt,
                Duration.between(startedAt, Instant.now()).toSeconds(),
                listening.map(RunningAgent::endpoint),
                coordinator.map(CoordinatorReports::of),
                models.map(parts -> parts.engine().models()).orElse(List.of()).stream().map(this::model).toList(),
                new StatusReport.Memory(
                        models.map(parts -> parts.ledger().budgetBytes()).orElse(0L),
                        models.map(parts -> parts.ledger().reservedBytes()).orElse(0L),
                        physicalBytes,
                        probe.availableBytes()),
                options.home().root().toString(),
                options.configFile().toString(),
                options.home().logFile().toString());
    }

    private static StatusReport.Endpoint endpoint(Listening listening) {
        DiscoveryRecord record = listening.record();
        return new StatusReport.Endpoint(record.baseUrl(), record.host(), record.port(), !record.apiKey().reveal().isEmpty(),
                listening.isReachableFromOutside());
    }

    private StatusReport.Model model(ModelStatus status) {
        return new StatusReport.Model(
                status.id(),
                status.state().name().toLowerCase(Locale.ROOT),
                status.loadProgress(),
                status.lastError(),
                status.slots(),
                status.busySlots(),
                status.waiting(),
                status.queueLimit(),
                status.contextTokens(),
                status.usedTokens(),
                status.promptTokens(),
                status.cachedTokens(),
                status.generatedTokens(),
                status.finished(),
                status.failed(),
                status.cancelled(),
                status.refused(),
                status.prefillTokensPerSecond(),
                status.decodeTokensPerSecond(),
                status.reservedBytes(),
                models.flatMap(parts -> parts.calibrations().report(status.id())));
    }

    @Override
    public void calibrate(String model) throws InterruptedException {
        Models parts = models.orElseThrow(() -> new AgentException(ErrorCode.MODEL_UNAVAILABLE, "the agent is still starting"));
        parts.calibrations().demand(parts.served().require(model).spec());
        parts.engine().reload(model);
    }

    @Override
    public void reregister() {
        coordinator.ifPresent(parts -> parts.link().renew());
    }

    @Override
    public void stop(Duration timeout) {
        stop.request(timeout);
    }

    @Override
    public int requestsInFlight() {
        return listening.map(parts -> parts.api().requestsInFlight()).orElse(0) + coordinator.map(parts -> parts.link().inFlight()).orElse(0);
    }

    @Override
    public boolean awaitClosing(Duration patience) throws InterruptedException {
        return closing.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    }
}
