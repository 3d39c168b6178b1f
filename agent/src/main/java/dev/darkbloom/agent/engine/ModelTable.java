package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelSpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which models there are and where each stands: the state that the threads that ask, {@code model-loader} and the models' loops share.
 *
 * <p>One lock guards every field here, every {@link ModelEntry}, and what {@link LoadedModel} says it guards. Methods whose comment says
 * "locked" are called with it held, the others take it themselves. Nothing slow is done under it.
 */
final class ModelTable {
    private static final Logger log = LoggerFactory.getLogger(ModelTable.class);

    final ReentrantLock lock = new ReentrantLock();
    /** A model's state or leases have changed, or the last request of a closed admission has ended. */
    final Condition changed = lock.newCondition();

    private final EngineSettings settings;
    private final NanoClock clock;
    private final Map<String, ModelEntry> entries = new LinkedHashMap<>();
    /** In the order of loading, models on their way out included. */
    private final List<LoadedModel> inMemory = new ArrayList<>();
    private long uses;
    /** Threads that wait for a model to serve. */
    private int waiting;
    private boolean draining;

    ModelTable(EngineSettings settings, NanoClock clock) {
        this.settings = settings;
        this.clock = clock;
    }

    void register(ModelSpec spec, RoomChoice room) {
        lock.lock();
        try {
            if (entries.putIfAbsent(spec.id(), new ModelEntry(spec, room)) != null) {
                throw new IllegalArgumentException("model " + spec.id() + " is registered already");
            }
        } finally {
            lock.unlock();
        }
    }

    /** Returns a registered model or throws {@code UNKNOWN_MODEL}; locked. */
    ModelEntry entry(String modelId) {
        ModelEntry entry = entries.get(modelId);
        if (entry == null) {
            throw unknown();
        }
        return entry;
    }

    /** The name came from a request and may be anything: it is not repeated. */
    static AgentException unknown() {
        return new AgentException(ErrorCode.UNKNOWN_MODEL, "there is no model of that name here");
    }

    /** Takes a model out of the table: nobody finds it any more, and who waits for it is told so. Locked. */
    ModelEntry remove(String modelId) {
        ModelEntry entry = entry(modelId);
        entries.remove(modelId);
        entry.removed = true;
        changed.signalAll();
        return entry;
    }

    /** Moves a model to a state; locked. */
    void enter(ModelEntry entry, ModelState state) {
        if (entry.state == state) {
            return;
        }
        entry.state = state;
        changed.signalAll();
        try {
            settings.listener().onStateChanged(entry.spec.id(), state);
        } catch (RuntimeException e) {
            log.warn("engine listener failed model={} error={}", entry.spec.id(), e.getClass().getName());
        }
    }

    List<ModelStatus> statuses() {
        lock.lock();
        try {
            var all = new ArrayList<ModelStatus>(entries.size());
            for (ModelEntry entry : entries.values()) {
                all.add(entry.status(settings.queueLimit(), clock.nanoTime()));
            }
            return List.copyOf(all);
        } finally {
            lock.unlock();
        }
    }

    /** Waits for {@link #changed} because a model is asked for that does not serve yet; locked. */
    void awaitModel() throws InterruptedException {
        waiting++;
        try {
            changed.await();
        } finally {
            waiting--;
        }
    }

    /** Returns whether somebody holds a model or waits for one. */
    boolean isInUse() {
        lock.lock();
        try {
            return waiting > 0 || inMemory.stream().anyMatch(model -> model.leases > 0);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a model that nobody holds out of service, its weights staying in memory, for the caller to give another context. As during a load
     * who asks for it waits until the caller calls {@link #serve} or {@link #fail}.
     *
     * @param wanted whether it is to be taken out, by what it is served with
     * @return null when it is not, when it is not loaded, when any model is held or when somebody waits for one
     */
    LoadedModel takeForContext(ModelEntry entry, Predicate<ModelSpec> wanted) {
        lock.lock();
        try {
            if (draining || !entry.isIdle() || isInUse() || !wanted.test(entry.loaded.loop.spec)) {
                return null;
            }
            LoadedModel model = entry.loaded;
            model.retired = true;
            inMemory.remove(model);
            entry.loaded = null;
            entry.loads++;
            entry.loadProgress = 1;
            enter(entry, ModelState.LOADING);
            return model;
        } finally {
            lock.unlock();
        }
    }

    /** Takes a hold on a model that is ready; locked. */
    LoadedModel hold(LoadedModel model) {
        model.leases++;
        model.lastUsed = ++uses;
        return model;
    }

    /** Gives a hold back; the last one on a retired model has it unloaded. */
    void release(LoadedModel model) {
        lock.lock();
        try {
            model.leases--;
            model.lastUsed = ++uses;
            if (model.leases == 0) {
                if (model.whenUnused != null) {
                    model.whenUnused.run();
                }
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Lets nobody take a hold on a model any more; locked.
     *
     * @param whenUnused runs, with the lock held, when nobody has one left, which may be at once
     */
    void retire(LoadedModel model, Runnable whenUnused) {
        if (model.retired) {
            return;
        }
        model.retired = true;
        model.whenUnused = whenUnused;
        if (model.leases == 0) {
            whenUnused.run();
        }
    }

    /** A model has been loaded. */
    void serve(ModelEntry entry, LoadedModel model) {
        lock.lock();
        try {
            inMemory.add(model);
            model.lastUsed = ++uses;
            entry.loaded = model;
            entry.loadNanos = model.loadNanos;
            entry.failure = null;
            entry.lastError = null;
            entry.failuresInARow = 0;
            if (draining) {
                model.loop.admission.close(stopping());
            }
            enter(entry, draining ? ModelState.DRAINING : ModelState.READY);
        } finally {
            lock.unlock();
        }
    }

    /** A model could not be loaded. */
    void fail(ModelEntry entry, AgentException failure) {
        lock.lock();
        try {
            noteFailure(entry, failure);
        } finally {
            lock.unlock();
        }
    }

    private void noteFailure(ModelEntry entry, AgentException failure) {
        entry.failure = failure;
        entry.lastError = failure.getMessage();
        Duration pause = settings.retryPause().multipliedBy(1L << Math.min(entry.failuresInARow, 20));
        if (pause.compareTo(settings.retryPauseLimit()) > 0) {
            pause = settings.retryPauseLimit();
        }
        entry.failuresInARow++;
        entry.retryAtNanos = clock.nanoTime() + pause.toNanos();
        enter(entry, ModelState.FAILED);
    }

    /** A model has been freed. */
    void gone(LoadedModel model) {
        lock.lock();
        try {
            inMemory.remove(model);
            ModelEntry entry = model.entry;
            if (entry.loaded == model) {
                entry.loaded = null;
                entry.evicted = false;
                enter(entry, ModelState.UNLOADED);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Returns the bytes that unloading every idle model would free. */
    long evictableBytes() {
        lock.lock();
        try {
            long bytes = 0;
            for (ModelEntry entry : entries.values()) {
                if (entry.isIdle()) {
                    bytes += entry.loaded.reservation.need().totalBytes();
                }
            }
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    /** Retires the idle model that was used longest ago, for the caller to unload; null when none is idle. */
    LoadedModel evictOldest() {
        lock.lock();
        try {
            ModelEntry oldest = null;
            for (ModelEntry entry : entries.values()) {
                if (entry.isIdle() && (oldest == null || entry.loaded.lastUsed < oldest.loaded.lastUsed)) {
                    oldest = entry;
                }
            }
            if (oldest == null) {
                return null;
            }
            return evict(oldest);
        } finally {
            lock.unlock();
        }
    }

    /** Retires an idle model, for the caller to unload; who asks for it waits until it can be loaded again. Locked. */
    LoadedModel evict(ModelEntry idle) {
        idle.evicted = true;
        idle.loaded.retired = true;
        enter(idle, ModelState.DRAINING);
        return idle.loaded;
    }

    /** Returns the loop's way to tell what happens to {@code entry}'s model; {@code unload} has a model freed soon. */
    EngineLoop.Owner ownerOf(ModelEntry entry, Consumer<LoadedModel> unload) {
        return new EngineLoop.Owner() {
            @Override
            public void whenIdle() {
                lock.lock();
                try {
                    changed.signalAll();
                } finally {
                    lock.unlock();
                }
            }

            @Override
            public void whenRebuilt(String message) {
                lock.lock();
                try {
                    entry.lastError = message;
                } finally {
                    lock.unlock();
                }
                settings.listener().onContextRebuilt(entry.spec.id());
            }

            @Override
            public void whenBroken(AgentException error) {
                lock.lock();
                try {
                    LoadedModel model = entry.loaded;
                    entry.loaded = null;
                    noteFailure(entry, error);
                    retire(model, () -> unload.accept(model));
                } finally {
                    lock.unlock();
                }
            }
        };
    }

    static AgentException stopping() {
        return new AgentException(ErrorCode.DRAINING, "the agent is stopping and takes no new requests");
    }

    /** Takes nothing new from now on; locked. */
    void startDraining() {
        draining = true;
        for (ModelEntry entry : entries.values()) {
            if (entry.loaded != null) {
                entry.loaded.loop.admission.close(stopping());
                enter(entry, ModelState.DRAINING);
            }
        }
        changed.signalAll();
    }

    /** Locked. */
    boolean isDraining() {
        return draining;
    }

    /** Returns the models in memory, the oldest load first; locked. */
    List<LoadedModel> inMemory() {
        return List.copyOf(inMemory);
    }
}
