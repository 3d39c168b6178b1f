package dev.darkbloom.agent.service;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.llama.ModelOpener;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** Loads the models of a start one after the other and tells how far each is. */
final class Preload {
    private static final Duration NEWS_INTERVAL = Duration.ofMillis(100);

    private final Engine engine;
    private final ModelOpener opener;
    private final MemoryLedger ledger;
    private final StopSignal stop;
    private final StartNews news;

    Preload(Engine engine, ModelOpener opener, MemoryLedger ledger, StopSignal stop, StartNews news) {
        this.engine = engine;
        this.opener = opener;
        this.ledger = ledger;
        this.stop = stop;
        this.news = news;
    }

    /**
     * Loads what fits. A model that does not fit, beside those before it, is left for its first request; any other failure ends the start.
     *
     * @return whether a model serves
     * @throws AgentException the load's error, or {@code CANCELLED} when the agent is to end
     */
    boolean run(ServedModels models) throws InterruptedException {
        boolean any = false;
        for (ServedModel model : models.list()) {
            String id = model.spec().id();
            // The engine would make room by unloading what has just been loaded.
            if (any && opener.need(model.spec()).totalBytes() > ledger.freeBytes()) {
                news.postponed(id, "it does not fit beside the others; its first request loads it in their place");
                continue;
            }
            try {
                load(id);
                any = true;
            } catch (AgentException e) {
                if (e.code() != ErrorCode.OUT_OF_MEMORY) {
                    throw e;
                }
                news.postponed(id, e.getMessage() + "; " + ConfigKey.MEMORY_RESERVE.name() + " says what is kept back");
            }
        }
        return any;
    }

    private void load(String id) throws InterruptedException {
        long begun = System.nanoTime();
        var outcome = new CompletableFuture<Void>();
        Thread waiter = Thread.ofVirtual().name("task-load").start(() -> {
            try {
                engine.load(id);
                outcome.complete(null);
            } catch (AgentException e) {
                outcome.completeExceptionally(e);
            } catch (InterruptedException e) {
                outcome.completeExceptionally(new AgentException(ErrorCode.CANCELLED, "the load was interrupted", e));
            }
        });
        do {
            news.loading(id, status(id).loadProgress());
            if (stop.isRequested()) {
                throw new AgentException(ErrorCode.CANCELLED, "stopped before it was ready");
            }
        } while (!waiter.join(NEWS_INTERVAL));
        if (outcome.isCompletedExceptionally()) {
            throw (AgentException) outcome.exceptionNow();
        }
        ModelStatus status = status(id);
        if (status.state() == ModelState.READY) {
            news.loading(id, 1);
            news.loaded(id, Duration.ofNanos(System.nanoTime() - begun), status.slots(), status.contextTokens());
        }
    }

    private ModelStatus status(String id) {
        return engine.models().stream().filter(model -> model.id().equals(id)).findFirst().orElseThrow();
    }
}
