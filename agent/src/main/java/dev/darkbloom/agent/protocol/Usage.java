package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The tokens of a request. Those behind the first two are read by newer coordinators only.
 *
 * @param promptTokens after the template, special tokens included; billed
 * @param completionTokens all that were sampled, reasoning and tool calls included; billed
 * @param reasoningTokens part of {@code completionTokens}
 * @param cachedTokens part of {@code promptTokens} whose KV was there already
 * @param cacheStageMs milliseconds spent looking for it; finite
 */
public record Usage(long promptTokens, long completionTokens,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long reasoningTokens,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cachedTokens,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long prefillTokensSaved,
        Optional<String> cacheOutcome, Optional<String> cacheTier, OptionalDouble cacheStageMs) {
    public Usage {
        if (promptTokens < 0 || completionTokens < 0) {
            throw new IllegalArgumentException("usage of " + promptTokens + " and " + completionTokens + " tokens");
        }
        Checks.finite(cacheStageMs, "cache_stage_ms");
    }

    /** Returns what is billed. */
    public static Usage of(long promptTokens, long completionTokens) {
        return new Usage(promptTokens, completionTokens, 0, 0, 0, Optional.empty(), Optional.empty(), OptionalDouble.empty());
    }
}
