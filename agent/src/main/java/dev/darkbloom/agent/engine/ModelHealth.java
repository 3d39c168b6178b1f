package dev.darkbloom.agent.engine;

import java.util.OptionalDouble;

/**
 * How a model fares at one moment, for those who watch it and those who foretell how soon it answers.
 *
 * @param loadMillis what its last load took; 0 when there was none
 * @param admitted requests that were given a slot since load
 * @param firstTokens requests that have had their first token since load
 * @param secondsSinceStep since the last decode; empty before the first
 * @param secondsSinceFirstToken since a request had its first token; empty before the first
 * @param queuedTokens prompts of the requests that wait for a slot, and the most that they may produce
 * @param peakRunningTokens most {@link ModelLoad#runningTokens} since load
 * @param streamTokensPerSecond observed lately, of one stream among those that ran; 0 before the first
 * @param firstTokenTimes of the latest requests
 */
public record ModelHealth(long loadMillis, long admitted, long firstTokens, OptionalDouble secondsSinceStep,
        OptionalDouble secondsSinceFirstToken, long queuedTokens, long peakRunningTokens, double streamTokensPerSecond,
        FirstTokenTimes firstTokenTimes) {
    /** Of a model that was never loaded. */
    public static final ModelHealth NONE = notLoaded(0);

    /** Returns that of a model that is not in memory. */
    static ModelHealth notLoaded(long lastLoadMillis) {
        return new ModelHealth(lastLoadMillis, 0, 0, OptionalDouble.empty(), OptionalDouble.empty(), 0, 0, 0, FirstTokenTimes.NONE);
    }
}
