package dev.darkbloom.agent.engine;

import java.util.List;

/** The models that can be asked for, loaded or not. {@link Engine} is the real one; any thread. */
public interface ModelPool {
    /**
     * Returns a hold on a model, loading it first when it is not in memory. Blocks while it loads.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code UNKNOWN_MODEL}, {@code OUT_OF_MEMORY}, {@code MODEL_UNAVAILABLE}, {@code
     *     DRAINING}
     * @throws InterruptedException when the calling thread is interrupted; the load goes on
     */
    ModelLease acquire(String modelId) throws InterruptedException;

    /** Returns every model's state, in the order in which they were registered. */
    List<ModelStatus> models();
}
