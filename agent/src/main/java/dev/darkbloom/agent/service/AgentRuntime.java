package dev.darkbloom.agent.service;

import dev.darkbloom.agent.api.ApiLimits;
import dev.darkbloom.agent.api.ApiServer;
import dev.darkbloom.agent.api.ApiServices;
import dev.darkbloom.agent.api.ApiSettings;
import dev.darkbloom.agent.api.DiscoveryRecord;
import dev.darkbloom.agent.api.LocalToken;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.chat.ResponseStore;
import dev.darkbloom.agent.chat.StoredResponses;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.hardware.MachineProbe;
import dev.darkbloom.agent.hardware.MemoryBudget;
import dev.darkbloom.agent.hardware.OshiProbe;
import dev.darkbloom.agent.llama.LlamaBackend;
import dev.darkbloom.agent.llama.NativeLibrary;
import dev.darkbloom.agent.service.calibration.Calibrations;
import dev.darkbloom.agent.service.calibration.LateCalibration;
import dev.darkbloom.agent.service.calibration.MeasuringConditions;
import dev.darkbloom.agent.service.control.ControlServer;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running agent: everything it consists of, made by hand and in order. {@link #start} read from top to bottom is the tour of the
 * architecture; {@link #close} is the same in reverse.
 *
 * <p>Started, waited for and closed by one thread.
 */
public final class AgentRuntime implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AgentRuntime.class);
    /** How often a drain looks whether somebody has become more impatient. */
    private static final Duration DRAIN_SLICE = Duration.ofMillis(200);
    /** What an answer that was cut off at the deadline is given to reach its client. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(2);

    private final Closer closer;
    private final Lifecycle lifecycle;
    private final StopSignal stop;
    private final RunningAgent agent;
    private final Engine engine;
    private final Optional<ApiServer> api;
    private final Optional<CoordinatorParts> coordinator;

    private AgentRuntime(Closer closer, Lifecycle lifecycle, StopSignal stop, RunningAgent agent, Engine engine, Optional<ApiServer> api,
            Optional<CoordinatorParts> coordinator) {
        this.closer = closer;
        this.lifecycle = lifecycle;
        this.stop = stop;
        this.agent = agent;
        this.engine = engine;
        this.api = api;
        this.coordinator = coordinator;
    }

    /**
     * Starts an agent; when this returns, it answers this machine's own clients, or is about to connect to its coordinator, or both.
     *
     * @param stop ends the start, too
     * @param news hears how it goes on
     * @throws AgentException what stands in the way; nothing is left running then
     */
    public static AgentRuntime start(StartOptions options, StopSignal stop, StartNews news) throws InterruptedException {
        var closer = new Closer();
        var lifecycle = new Lifecycle();
        try {
            AgentHome home = options.home().create();
            AgentConfig config = AgentConfig.of(options.values());
            StartOptions.Audience audience = options.audience();
            boolean reachable = audience.isLocal() && isReachableFromOutside(config.local().bind());
            checkOpenness(options, config, reachable, news);
            Optional<CoordinatorAddress> address = audience.isCoordinator()
                    ? Optional.of(CoordinatorParts.address(options.coordinatorUrl(), config))
                    : Optional.empty();
            closer.add(HomeLock.acquire(home));
            closer.add(AgentLog.open(home.logFile()));
            closer.add(lifecycle::end);
            log.info("starting version={} home={} config={}", AgentVersion.current().agent(), home.root(), options.configFile());

            MachineProbe probe = new OshiProbe();
            Machine machine = probe.machine();
            var agent = new RunningAgent(options, lifecycle, stop, probe, machine.memoryBytes());
            closer.add(ControlServer.open(home.controlSocket(), agent));

            // Before models are loaded, which may take minutes; the socket itself is opened behind them.
            Optional<ApiSettings> listening = audience.isLocal() ? Optional.of(endpoint(options, config)) : Optional.empty();
            listening.ifPresent(ApiServer::check);
            var models = ServedModels.choose(new ModelCatalog(home, config), options.models(), options.allModels(), options.values(), machine);
            LlamaBackend backend = closer.add(LlamaBackend.open(NativeLibrary.load()));
            backend.devices().forEach(device -> log.info("device name={} description={} gpu={}", device.name(), device.description(), device.isGpu()));
            var budget = new MemoryBudget(machine.memoryBytes(), probe.availableBytes(), config.provider().memoryReserve().bytes());
            var ledger = new MemoryLedger(budget.forModelsBytes());
            var settings = EngineSettings.defaults().withQueueLimit(config.backend().queueLimit()).withListener(new RequestLog(lifecycle))
                    .withPrefillChunkTokens(config.backend().prefillChunkTokens());
            var calibrations = new Calibrations(config.backend(), machine, backend.library().build(), home.calibrations(),
                    MeasuringConditions.ofThisMachine(), InstantSource.system());
            Engine engine = closer.add(Engine.open(settings, backend, ledger, NanoClock.SYSTEM, calibrations));
            models.list().forEach(model -> engine.register(model.spec(), model.room()));
            agent.serves(engine, ledger, calibrations, models);

            lifecycle.move(AgentState.STARTING, AgentState.LOADING);
            boolean preload = config.backend().startupPreload();
            boolean usable = !preload || new Preload(engine, backend, ledger, stop, news).run(models);

            closer.add(LateCalibration.open(calibrations, engine, engine::retune));
            Optional<ApiServer> api = Optional.empty();
            Optional<String> baseUrl = Optional.empty();
            Optional<ResponseStore> store = Optional.empty();
            if (listening.isPresent()) {
                store = Optional.of(new ResponseStore(ResponseStore.Limits.of(machine.memoryBytes()), NanoClock.SYSTEM));
                closer.add(store.get()); // should the endpoint not open; it is closed before it otherwise
            }
            Completions completions = completions(config, engine, store);
            var registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
            if (listening.isPresent()) {
                ApiServer opened = closer.add(ApiServer.open(listening.get(), services(config, completions, engine, models, store.get(), registry)));
                closer.add(store.get()); // before the endpoint: what runs for nobody ends, and its memory is zeroed
                var record = DiscoveryRecord.of(listening.get(), opened.port(), AgentVersion.current().agent());
                write(record, home);
                closer.add(() -> DiscoveryRecord.remove(home.discoveryRecord()));
                agent.listens(opened, record, reachable);
                baseUrl = Optional.of(record.baseUrl());
                api = Optional.of(opened);
            }
            Optional<CoordinatorParts> coordinator = Optional.empty();
            if (address.isPresent()) {
                coordinator = Optional.of(CoordinatorParts.start(address.get(), config, home, engine, ledger, models, machine, completions,
                        closer));
                agent.connects(coordinator.get());
                LinkMeters.register(registry, coordinator.get().link(), InstantSource.system());
            }

            lifecycle.move(AgentState.LOADING, usable ? AgentState.READY : AgentState.NEEDS_MODEL);
            baseUrl.ifPresent(news::ready);
            address.ifPresent(at -> news.connecting(at.toString()));
            return new AgentRuntime(closer, lifecycle, stop, agent, engine, api, coordinator);
        } catch (Throwable t) {
            closeAfter(t, closer);
            throw t;
        }
    }

    private static void closeAfter(Throwable failure, Closer closer) {
        try {
            closer.close();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    private static void write(DiscoveryRecord record, AgentHome home) {
        try {
            record.write(home.discoveryRecord());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + home.discoveryRecord(), e);
        }
    }

    private static boolean isReachableFromOutside(String bind) {
        try {
            return !InetAddress.getByName(bind).isLoopbackAddress();
        } catch (UnknownHostException e) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, "local.bind", bind + " is not an address of this machine");
        }
    }

    private static void checkOpenness(StartOptions options, AgentConfig config, boolean reachable, StartNews news) {
        if (!reachable) {
            return;
        }
        if (!options.requiresKey() && !options.acceptsOpenEndpoint()) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, "local.bind", "--no-auth on " + config.local().bind()
                    + " lets everyone who reaches this machine use it; leave out one of them, or add --i-understand-open-endpoint");
        }
        news.warning("the endpoint on " + config.local().bind() + " can be reached from outside and has no TLS: what is asked and answered "
                + "can be read on the way" + (options.requiresKey() ? "" : ", and no key is asked for"));
    }

    private static ApiSettings endpoint(StartOptions options, AgentConfig config) {
        Optional<Redacted> key = options.requiresKey() ? Optional.of(LocalToken.readOrCreate(options.home().localToken())) : Optional.empty();
        return new ApiSettings(config.local().bind(), config.local().port(), key, Set.copyOf(config.local().allowedOrigins()), ApiLimits.DEFAULT);
    }

    private static Completions completions(AgentConfig config, Engine engine, Optional<ResponseStore> store) {
        CompletionsSettings defaults = CompletionsSettings.defaults();
        var settings = new CompletionsSettings(config.local().pingInterval(), defaults.requestTimeout(), defaults.maxChoices(),
                defaults.ringTokens(), defaults.fingerprint(), defaults.enableThinking());
        return new Completions(engine, settings, InstantSource.system(), NanoClock.SYSTEM, store);
    }

    private static ApiServices services(AgentConfig config, Completions completions, Engine engine, ServedModels models, ResponseStore store,
            PrometheusMeterRegistry registry) {
        AgentVersion version = AgentVersion.current();
        String build = "darkbloom-agent " + version.agent() + ", llama.cpp " + version.llamaCpp();
        FunctionCounter.builder("darkbloom.unknown.parameters", completions, Completions::unknownParameters)
                .description("Parameters that nobody documents, in requests; they are ignored").register(registry);
        return new ApiServices(completions::run, engine, models, models.props(engine, build), registry,
                Optional.of(new StoredResponses(store, config.local().pingInterval())));
    }

    /**
     * Serves until somebody wishes that the agent ends, then drains: nothing new is taken, what runs is finished within the patience that the
     * wish came with, what then still runs is cancelled. A coordinator that knows drains is given the same time to settle.
     */
    public void serve() throws InterruptedException {
        stop.await();
        lifecycle.moveTo(AgentState.DRAINING);
        log.info("draining requests={} patienceSeconds={}", requestsInFlight(), stop.patienceLeft().toSeconds());
        boolean drained = false;
        for (Duration left = stop.patienceLeft(); !drained && left.isPositive(); left = stop.patienceLeft()) {
            drained = drain(left.compareTo(DRAIN_SLICE) < 0 ? left : DRAIN_SLICE);
        }
        int running = requestsInFlight();
        engine.drain(Duration.ZERO);
        if (drained) {
            return;
        }
        if (running > 0) {
            log.info("cancelled what still ran requests={}", running);
            drain(LAST_WORDS);
        } else if (coordinator.isPresent() && coordinator.get().link().status().isLater()) {
            log.info("the coordinator has not said that what was answered is settled");
        }
    }

    /** Has both sides take nothing new, and waits for what runs; returns whether it has all ended. */
    private boolean drain(Duration patience) throws InterruptedException {
        long begun = System.nanoTime();
        boolean none = true;
        if (coordinator.isPresent()) {
            none = coordinator.get().link().drain(patience);
        }
        Duration left = patience.minusNanos(System.nanoTime() - begun);
        return (api.isEmpty() || api.get().drain(left.isNegative() ? Duration.ZERO : left)) && none;
    }

    /** Returns the requests that are being answered. */
    public int requestsInFlight() {
        return api.map(ApiServer::requestsInFlight).orElse(0) + coordinator.map(parts -> parts.link().inFlight()).orElse(0);
    }

    @Override
    public void close() {
        agent.closes();
        closer.close();
    }
}
