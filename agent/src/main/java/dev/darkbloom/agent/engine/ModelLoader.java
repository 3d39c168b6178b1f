package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.calibration.Tuning;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread {@code model-loader}: loads and unloads models, one after the other, so that what one frees is there before the next is measured.
 *
 * <p>Its queue needs no bound of its own: a registered model has at most one load in it, a loaded one at most one unload.
 */
final class ModelLoader implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ModelLoader.class);

    private final EngineSettings settings;
    private final ModelOpener opener;
    private final MemoryLedger ledger;
    private final NanoClock clock;
    private final ModelTable table;
    private final Tuner tuner;
    private final ThreadPoolExecutor executor = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
            Thread.ofPlatform().name("model-loader").daemon(true).factory());
    private volatile boolean stopping;

    ModelLoader(EngineSettings settings, ModelOpener opener, MemoryLedger ledger, NanoClock clock, ModelTable table, Tuning tuning) {
        this.settings = settings;
        this.opener = opener;
        this.ledger = ledger;
        this.clock = clock;
        this.table = table;
        this.tuner = new Tuner(opener, clock, tuning);
    }

    /** Has a model loaded; the table is told how it went. */
    void load(ModelEntry entry) {
        submit(() -> loadNow(entry));
    }

    /** Has the settings of a loaded model planned anew, if nobody uses any model then; the table is told how it went. */
    void retune(ModelEntry entry) {
        submit(() -> retuneNow(entry));
    }

    /** Has a model unloaded that takes no new lease; what still runs on it is ended. The table is told. */
    void unload(LoadedModel model) {
        submit(() -> unloadNow(model));
    }

    private void submit(Runnable task) {
        try {
            executor.execute(() -> {
                try {
                    task.run();
                } catch (Throwable t) {
                    log.error("loading or unloading a model failed", t);
                }
            });
        } catch (RejectedExecutionException e) {
            log.debug("model-loader has ended; the engine has unloaded everything itself");
        }
    }

    private void loadNow(ModelEntry entry) {
        String id = entry.spec.id();
        long start = clock.nanoTime();
        MemoryLedger.Reservation reservation = null;
        ModelRuntime runtime = null;
        try {
            if (stopping) {
                throw ModelTable.stopping();
            }
            long reachable = ledger.freeBytes() + table.evictableBytes();
            Tuning.Plan tuning = tuner.plan(entry.spec);
            RoomPlan plan = tuner.room(tuning, entry.spec,
                    spec -> RoomPlan.fit(opener, spec, entry.room, settings.minContextTokens(), reachable), reachable);
            makeRoom(id, plan.need().totalBytes());
            reservation = ledger.reserve(id, plan.need());
            runtime = opener.open(plan.spec(), share -> {
                entry.loadProgress = share;
                return !stopping;
            });
            serve(entry, tuner.tune(tuning, entry.spec, plan, runtime, reservation, () -> stopping), runtime, reservation, start, -1);
        } catch (RuntimeException | Error e) {
            free(runtime, reservation);
            fail(entry, e);
        }
    }

    /** Opens a context; {@code loadNanos} is what the model's load took when that is over, below 0 when this ends it. */
    private void serve(ModelEntry entry, ModelSpec spec, ModelRuntime runtime, MemoryLedger.Reservation reservation, long start, long loadNanos) {
        var loop = new EngineLoop(runtime, spec, reservation.need().contextBytes(), settings, clock, table.ownerOf(entry, this::unload));
        EngineLoop.Dimensions dimensions = loop.start();
        long nanos = clock.nanoTime() - start;
        log.info("model loaded id={} bytes={} slots={} contextTokens={} ms={}", entry.spec.id(), reservation.need().totalBytes(), dimensions.slots(),
                dimensions.contextTokens(), nanos / 1_000_000);
        table.serve(entry, new LoadedModel(entry, runtime, loop, dimensions, reservation, loadNanos < 0 ? nanos : loadNanos));
    }

    private void fail(ModelEntry entry, Throwable t) {
        AgentException failure = t instanceof AgentException known
                ? known
                : new AgentException(ErrorCode.INTERNAL, "loading failed: " + t.getClass().getSimpleName(), t);
        note(entry.spec.id(), failure);
        table.fail(entry, failure);
    }

    private void retuneNow(ModelEntry entry) {
        if (stopping || table.isInUse()) {
            return;
        }
        Tuning.Plan tuning = tuner.plan(entry.spec); // while the model still serves: this may watch the machine for a moment
        LoadedModel model = table.takeForContext(entry, spec -> Tuner.mayChange(tuning, spec));
        if (model == null) {
            return;
        }
        long start = clock.nanoTime();
        try {
            model.closeContext(ModelTable.stopping()); // nobody is in it
            var room = new RoomPlan(model.loop.spec, model.reservation.need());
            ModelSpec spec = tuner.retune(tuning, entry.spec, room, model.runtime, model.reservation, () -> stopping || table.isInUse());
            serve(entry, spec, model.runtime, model.reservation, start, model.loadNanos);
        } catch (RuntimeException | Error e) {
            free(model.runtime, model.reservation);
            fail(entry, e);
        }
    }

    private static void note(String id, AgentException failure) {
        switch (failure.code().kind()) {
            case SETUP -> log.error("model not loaded id={} code={} error={} remedy={}", id, failure.code(), failure.getMessage(),
                    failure.code().remedy());
            case INTERNAL -> log.error("model not loaded id={}", id, failure);
            case REQUEST, CAPACITY, EXTERNAL -> log.info("model not loaded id={} code={} error={}", id, failure.code(), failure.getMessage());
        }
    }

    private static void free(ModelRuntime runtime, MemoryLedger.Reservation reservation) {
        try {
            if (runtime != null) {
                runtime.close();
            }
        } finally {
            if (reservation != null) {
                reservation.close();
            }
        }
    }

    /** Unloads idle models, the least recently used first, until {@code bytes} are free. */
    private void makeRoom(String forModel, long bytes) {
        long reachable = ledger.freeBytes() + table.evictableBytes();
        if (bytes > reachable) {
            throw ledger.refusal(forModel, bytes, reachable); // before anything is unloaded in vain
        }
        while (bytes > ledger.freeBytes()) {
            LoadedModel oldest = table.evictOldest();
            if (oldest == null) {
                return; // taken up again meanwhile; the reservation that follows refuses
            }
            log.info("model makes room id={} for={}", oldest.entry.spec.id(), forModel);
            unloadNow(oldest);
        }
    }

    private void unloadNow(LoadedModel model) {
        String id = model.entry.spec.id();
        try {
            model.close(new AgentException(ErrorCode.DRAINING, "model " + id + " was unloaded"));
            log.info("model unloaded id={}", id);
        } finally {
            table.gone(model);
        }
    }

    /** Gives up the load that runs, if its opener listens, and every one that waits. */
    void stopLoading() {
        stopping = true;
    }

    /** Runs what was submitted, then ends the thread and waits for that. */
    @Override
    public void close() {
        executor.close();
    }
}
