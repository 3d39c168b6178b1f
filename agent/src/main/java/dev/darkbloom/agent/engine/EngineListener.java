package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.RequestId;

/**
 * Is told what the engine does, for metrics. Calls come from the engine's own threads: they return at once and do not throw (what they
 * throw is logged and dropped).
 */
public interface EngineListener {
    /** Hears nothing. */
    EngineListener NONE = new EngineListener() {};

    /** A generation has ended; called before its holder can see that. */
    default void onFinished(GenerationStats stats) {}

    /** A model has changed its state. */
    default void onStateChanged(String modelId, ModelState state) {}

    /** A model's context failed fatally and has been opened anew. */
    default void onContextRebuilt(String modelId) {}

    /**
     * One ended generation.
     *
     * @param modelId the model that answered
     * @param id the request's name
     * @param origin where the request came from
     * @param outcome how it ended
     * @param progress final counts and times
     */
    record GenerationStats(String modelId, RequestId id, Origin origin, Generation.Outcome outcome, Generation.Progress progress) {}
}
