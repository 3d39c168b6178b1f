package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.calibration.Tuning;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelSpec;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The front door: models by name, loaded when they are first asked for, held while a request needs them. Any thread.
 *
 * <p>A model stays loaded until its room is needed or it is unloaded. The threads that ask wait here; the work is done on {@code
 * model-loader}, and answers are written by each model's {@link EngineLoop}.
 */
public final class Engine implements ModelPool, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Engine.class);
    /** How long closing waits for leases whose requests have all ended. */
    private static final long LEASE_WAIT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final EngineSettings settings;
    private final NanoClock clock;
    private final ModelTable table;
    private final ModelLoader loader;
    private final AtomicBoolean closed = new AtomicBoolean();

    private Engine(EngineSettings settings, ModelOpener opener, MemoryLedger ledger, NanoClock clock, Tuning tuning) {
        this.settings = settings;
        this.clock = clock;
        table = new ModelTable(settings, clock);
        loader = new ModelLoader(settings, opener, ledger, clock, table, tuning);
    }

    /** Returns an engine without models. It borrows {@code opener} and {@code ledger} until it is closed. */
    public static Engine open(EngineSettings settings, ModelOpener opener, MemoryLedger ledger, NanoClock clock) {
        return open(settings, opener, ledger, clock, Tuning.NONE);
    }

    /** Returns an engine without models that asks {@code tuning} how each computes that it loads; borrows that, too. */
    public static Engine open(EngineSettings settings, ModelOpener opener, MemoryLedger ledger, NanoClock clock, Tuning tuning) {
        return new Engine(settings, opener, ledger, clock, tuning);
    }

    /**
     * Makes a model known; nothing is loaded yet.
     *
     * @param spec in streams; {@code room} says what it may become
     * @throws IllegalArgumentException when the id is taken
     */
    public void register(ModelSpec spec, RoomChoice room) {
        table.register(spec, room);
    }

    /** As {@link #register(ModelSpec, RoomChoice)}, in streams whatever that takes. */
    public void register(ModelSpec spec, boolean mayShrink) {
        register(spec, RoomChoice.streams(mayShrink));
    }

    /**
     * Loads a model and waits until it serves; progress is seen in {@link #models}. Does nothing when it is loaded already.
     *
     * @throws AgentException the load's own error, {@code UNKNOWN_MODEL}, {@code DRAINING}
     * @throws InterruptedException when the calling thread is interrupted; the load goes on
     */
    public void load(String modelId) throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            ModelEntry entry = table.entry(modelId);
            entry.retryAtNanos = clock.nanoTime(); // the pause after a failure is for requests, not for a person who asks by name
            AgentException failure = awaitReady(entry);
            if (failure != null) {
                throw new AgentException(failure.code(), failure.getMessage(), failure);
            }
        } finally {
            table.lock.unlock();
        }
    }

    @Override
    public ModelLease acquire(String modelId) throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            ModelEntry entry = table.entry(modelId);
            AgentException failure = awaitReady(entry);
            if (failure != null) {
                throw failure.code() == ErrorCode.OUT_OF_MEMORY
                        ? new AgentException(ErrorCode.OUT_OF_MEMORY, failure.getMessage(), failure)
                        : new AgentException(ErrorCode.MODEL_UNAVAILABLE,
                                "model " + modelId + " could not be loaded: " + failure.getMessage(), failure);
            }
            return new EngineLease(table.hold(entry.loaded), table::release);
        } finally {
            table.lock.unlock();
        }
    }

    /**
     * Waits until a model serves, starting its load if need be. The lock is held, and given up while waiting.
     *
     * @return null when it serves, otherwise why it does not
     */
    private AgentException awaitReady(ModelEntry entry) throws InterruptedException {
        long awaited = -1;
        while (true) {
            if (table.isDraining()) {
                throw ModelTable.stopping();
            }
            if (entry.removed) {
                throw ModelTable.unknown();
            }
            switch (entry.state) {
                case READY -> {
                    return null;
                }
                case LOADING -> awaited = entry.loads;
                case UNLOADED -> awaited = startLoad(entry);
                case FAILED -> {
                    if (awaited == entry.loads || entry.retryAtNanos - clock.nanoTime() > 0) {
                        return entry.failure;
                    }
                    awaited = startLoad(entry);
                }
                case DRAINING -> {
                    if (!entry.evicted) {
                        throw new AgentException(ErrorCode.DRAINING, "model " + entry.spec.id() + " is being unloaded");
                    }
                }
            }
            table.awaitModel();
        }
    }

    private long startLoad(ModelEntry entry) {
        entry.loads++;
        entry.loadProgress = 0;
        table.enter(entry, ModelState.LOADING);
        loader.load(entry);
        return entry.loads;
    }

    /**
     * Unloads a model once the leases on it are closed, and waits until it is gone. Requests that still run after
     * {@link EngineSettings#unloadGrace} are ended with {@code DRAINING}. Does nothing when it is not loaded.
     *
     * @throws AgentException {@code UNKNOWN_MODEL}
     * @throws InterruptedException when the calling thread is interrupted; the unload goes on
     */
    public void unload(String modelId) throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            unload(table.entry(modelId));
        } finally {
            table.lock.unlock();
        }
    }

    /**
     * Forgets a model: nobody finds it from now on, what runs is finished as {@link #unload} says, and its memory is given back. Another may be
     * registered by its id at once.
     *
     * @throws AgentException {@code UNKNOWN_MODEL}
     * @throws InterruptedException when the calling thread is interrupted; the model is forgotten, and goes when its requests have ended
     */
    public void unregister(String modelId) throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            unload(table.remove(modelId));
        } finally {
            table.lock.unlock();
        }
    }

    /** The lock is held, and given up while waiting. */
    private void unload(ModelEntry entry) throws InterruptedException {
        while (entry.state == ModelState.LOADING) {
            table.changed.await();
        }
        LoadedModel model = entry.loaded;
        if (model == null) {
            table.enter(entry, ModelState.UNLOADED);
            return;
        }
        entry.evicted = false;
        table.enter(entry, ModelState.DRAINING);
        table.retire(model, () -> loader.unload(model));
        if (!awaitUntil(_ -> entry.loaded != model, settings.unloadGrace())) {
            model.endRequests(new AgentException(ErrorCode.DRAINING, "model " + entry.spec.id() + " was unloaded"));
            while (entry.loaded == model) {
                table.changed.await();
            }
        }
    }

    /**
     * Unloads a model as soon as nobody holds it and loads it again, for instance to calibrate it anew. Who asks for it meanwhile waits.
     * One that is not loaded is loaded.
     *
     * @throws AgentException {@code QUEUE_FULL} when it is held for longer than {@link EngineSettings#unloadGrace}; the load's own error
     * @throws InterruptedException when the calling thread is interrupted
     */
    public void reload(String modelId) throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            ModelEntry entry = table.entry(modelId);
            if (!awaitUntil(_ -> entry.state != ModelState.LOADING && (entry.loaded == null || entry.isIdle()), settings.unloadGrace())) {
                throw new AgentException(ErrorCode.QUEUE_FULL, "model " + modelId + " is busy with requests");
            }
            if (entry.loaded != null) {
                LoadedModel model = table.evict(entry);
                loader.unload(model);
            }
            entry.retryAtNanos = clock.nanoTime();
            AgentException failure = awaitReady(entry);
            if (failure != null) {
                throw new AgentException(failure.code(), failure.getMessage(), failure);
            }
        } finally {
            table.lock.unlock();
        }
    }

    /**
     * Asks anew how a loaded model computes, for instance to calibrate what could not be calibrated when it was loaded. Returns at once.
     * Nothing happens while any model is held or waited for. Who asks for this one meanwhile waits until its context is open again; whoever
     * asks for any ends the calibration with the visit that runs. What the model remembers of prompts is lost.
     *
     * @throws AgentException {@code UNKNOWN_MODEL}
     */
    public void retune(String modelId) {
        table.lock.lock();
        try {
            loader.retune(table.entry(modelId));
        } finally {
            table.lock.unlock();
        }
    }

    @Override
    public List<ModelStatus> models() {
        return table.statuses();
    }

    /**
     * Takes nothing new from now on and waits until every request has ended; those that still run when {@code patience} is over are ended
     * with {@code DRAINING}. Models stay loaded until {@link #close}.
     *
     * @throws InterruptedException when the calling thread is interrupted; nothing new is taken all the same
     */
    public void drain(Duration patience) throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            table.startDraining();
            Predicate<LoadedModel> busy = model -> !model.loop.admission.isEmpty();
            if (!awaitUntil(models -> models.stream().noneMatch(busy), patience)) {
                endAllRequests();
                while (table.inMemory().stream().anyMatch(busy)) {
                    table.changed.await();
                }
            }
        } finally {
            table.lock.unlock();
        }
    }

    /** Waits, with the lock given up meanwhile, until something holds of the models in memory; false when it does not in time. */
    private boolean awaitUntil(Predicate<List<LoadedModel>> condition, Duration patience) throws InterruptedException {
        long left = patience.toNanos();
        while (!condition.test(table.inMemory())) {
            if (left <= 0) {
                return false;
            }
            left = table.changed.awaitNanos(left);
        }
        return true;
    }

    private void endAllRequests() {
        for (LoadedModel model : table.inMemory()) {
            model.endRequests(new AgentException(ErrorCode.DRAINING, "the agent stopped before the answer was finished"));
        }
    }

    /**
     * Drains for {@link EngineSettings#unloadGrace}, then unloads every model, the latest loaded first. A second call does nothing. Leases
     * should be closed by then; those that are not are waited for a few seconds and are of no use afterwards. An interrupt makes it stop
     * waiting, not stop closing.
     */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        loader.stopLoading();
        boolean interrupted = false;
        try {
            drain(settings.unloadGrace());
            awaitLeases();
        } catch (InterruptedException e) {
            interrupted = true;
        }
        for (LoadedModel model : latestFirst()) {
            loader.unload(model);
        }
        loader.close();
        for (LoadedModel model : latestFirst()) {
            model.close(ModelTable.stopping()); // one whose load ended while its unload could not be asked for any more
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitLeases() throws InterruptedException {
        table.lock.lockInterruptibly();
        try {
            if (!awaitUntil(models -> models.stream().allMatch(model -> model.leases == 0), Duration.ofNanos(LEASE_WAIT_NANOS))) {
                log.warn("closing models that somebody still holds");
            }
        } finally {
            table.lock.unlock();
        }
    }

    private List<LoadedModel> latestFirst() {
        table.lock.lock();
        try {
            return table.inMemory().reversed();
        } finally {
            table.lock.unlock();
        }
    }
}
