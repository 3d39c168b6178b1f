package dev.darkbloom.agent.service.local;

import java.time.Duration;

/**
 * Counts and times of one answer, as the agent measured them; the first token's time as it was seen here.
 *
 * @param finishReason {@code stop}, {@code length} or what else ended it; {@code cancelled} when it was ended here
 * @param promptTokens tokens of the whole conversation
 * @param cachedTokens those of them that were still in memory
 * @param generatedTokens tokens of the answer
 * @param prefillTokensPerSecond rate at which the rest of the prompt was read; 0 when unknown
 * @param decodeTokensPerSecond rate at which the answer was written; 0 when unknown
 * @param toFirstToken from sending the request to the first text
 * @param total from sending the request to the end
 */
public record AnswerStats(
        String finishReason,
        int promptTokens,
        int cachedTokens,
        int generatedTokens,
        double prefillTokensPerSecond,
        double decodeTokensPerSecond,
        Duration toFirstToken,
        Duration total) {}
