package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelRuntime.ModelFacts;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A model in memory: its weights, its loop, the bytes reserved for both, and who holds on to it. Lives until it is retired and its last lease
 * is closed, and is then closed on {@code model-loader}.
 */
final class LoadedModel {
    final ModelEntry entry;
    final ModelRuntime runtime;
    final ModelFacts facts;
    final EngineLoop loop;
    final EngineLoop.Dimensions dimensions;
    final MemoryLedger.Reservation reservation;
    /** What reading it took; another context does not change it. */
    final long loadNanos;

    /** Leases that are open; guarded by the table's lock, as are the fields that follow. */
    int leases;
    /** Order in which models were taken up; the least recently used has the smallest. */
    long lastUsed;
    /** Whether the model takes no new lease. */
    boolean retired;
    /** What to do when a retired model's last lease is closed; null before. */
    Runnable whenUnused;

    private final AtomicBoolean closed = new AtomicBoolean();

    LoadedModel(ModelEntry entry, ModelRuntime runtime, EngineLoop loop, EngineLoop.Dimensions dimensions,
            MemoryLedger.Reservation reservation, long loadNanos) {
        this.loadNanos = loadNanos;
        this.entry = entry;
        this.runtime = runtime;
        this.facts = runtime.facts();
        this.loop = loop;
        this.dimensions = dimensions;
        this.reservation = reservation;
    }

    /** Ends every request with {@code error}; none is taken any more. */
    void endRequests(AgentException error) {
        loop.admission.close(error);
        loop.mailbox.endAll(error);
    }

    /** Closes the context and leaves the weights and the reservation to the caller, for another {@link LoadedModel}. Blocks. */
    void closeContext(AgentException error) {
        if (closed.compareAndSet(false, true)) {
            loop.stop(error);
        }
    }

    /** Ends what still runs with {@code error} and frees everything, inside out. Blocks; a second call does nothing. */
    void close(AgentException error) {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        try (var closer = new Closer()) {
            closer.add(reservation);
            closer.add(runtime);
            closer.add(() -> loop.stop(error));
        }
    }
}
