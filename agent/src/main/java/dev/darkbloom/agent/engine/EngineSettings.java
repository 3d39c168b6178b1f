package dev.darkbloom.agent.engine;

import java.time.Duration;
import java.util.Objects;

/**
 * How the engine behaves; what a model needs is in its {@link dev.darkbloom.agent.llama.ModelSpec}.
 *
 * @param queueLimit most requests of one model that may wait for a slot; at least 1
 * @param stepTarget how long a step with prefill may take; a cancel is seen between steps
 * @param prefillChunkTokens prompt tokens in a step, whatever it takes; 0 for as many as {@code stepTarget} has time for
 * @param minContextTokens context per sequence below which a model is not shrunk; positive
 * @param retryPause how long a model that failed to load is left alone; doubles with each further failure, up to {@code retryPauseLimit}
 * @param retryPauseLimit the longest such pause
 * @param unloadGrace how long an unload, or closing the engine, waits for requests that run before it ends them
 * @param listener is told what happens
 */
public record EngineSettings(
        int queueLimit,
        Duration stepTarget,
        int prefillChunkTokens,
        int minContextTokens,
        Duration retryPause,
        Duration retryPauseLimit,
        Duration unloadGrace,
        EngineListener listener) {

    public EngineSettings {
        Objects.requireNonNull(listener);
        if (queueLimit < 1 || minContextTokens < 1 || prefillChunkTokens < 0) {
            throw new IllegalArgumentException("queueLimit " + queueLimit + ", minContextTokens " + minContextTokens + ", prefillChunkTokens "
                    + prefillChunkTokens);
        }
        if (!stepTarget.isPositive() || retryPause.isNegative() || retryPauseLimit.compareTo(retryPause) < 0 || unloadGrace.isNegative()) {
            throw new IllegalArgumentException("stepTarget " + stepTarget + ", retryPause " + retryPause + " up to " + retryPauseLimit
                    + ", unloadGrace " + unloadGrace);
        }
    }

    /** Returns the settings of an agent whose owner has set nothing. */
    public static EngineSettings defaults() {
        return new EngineSettings(64, Duration.ofMillis(100), 0, 8192, Duration.ofSeconds(1), Duration.ofSeconds(60), Duration.ofSeconds(30),
                EngineListener.NONE);
    }

    public EngineSettings withQueueLimit(int limit) {
        return new EngineSettings(limit, stepTarget, prefillChunkTokens, minContextTokens, retryPause, retryPauseLimit, unloadGrace, listener);
    }

    public EngineSettings withListener(EngineListener heard) {
        return new EngineSettings(queueLimit, stepTarget, prefillChunkTokens, minContextTokens, retryPause, retryPauseLimit, unloadGrace, heard);
    }

    public EngineSettings withMinContextTokens(int tokens) {
        return new EngineSettings(queueLimit, stepTarget, prefillChunkTokens, tokens, retryPause, retryPauseLimit, unloadGrace, listener);
    }

    public EngineSettings withPrefillChunkTokens(int tokens) {
        return new EngineSettings(queueLimit, stepTarget, tokens, minContextTokens, retryPause, retryPauseLimit, unloadGrace, listener);
    }

    public EngineSettings withUnloadGrace(Duration grace) {
        return new EngineSettings(queueLimit, stepTarget, prefillChunkTokens, minContextTokens, retryPause, retryPauseLimit, grace, listener);
    }
}
