package dev.darkbloom.agent.api;

import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import java.util.List;
import java.util.Optional;

/** Two models, one loaded; nothing can be acquired. */
final class FakeModels implements ModelPool {
    static final String DEMO = "demo";
    static final String NESTED = "org/some.model-7B";

    volatile List<ModelStatus> statuses = List.of(status(DEMO, ModelState.READY, 41), status(NESTED, ModelState.UNLOADED, 0));

    @Override
    public ModelLease acquire(String modelId) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<ModelStatus> models() {
        return statuses;
    }

    static ModelStatus status(String id, ModelState state, long generatedTokens) {
        boolean ready = state == ModelState.READY;
        return new ModelStatus(
                id, state, ready ? 1 : 0, Optional.empty(), ready ? 8 : 0, ready ? 2 : 0, 1, 64, ready ? 2048 : 0, 300, 120, 60,
                generatedTokens, 50, 7, 4, 1, 2, 3, 900.5, 120.25, 1 << 20, ModelLoad.NONE);
    }
}
