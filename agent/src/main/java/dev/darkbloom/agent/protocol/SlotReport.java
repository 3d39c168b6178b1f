package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * One model of a {@link CapacityReport} (section 4.2.2). What follows {@code maxTokensPotential} is read by newer coordinators only and
 * left out where it is zero.
 *
 * @param activeTokens prompt and completion tokens of the requests that run
 * @param maxTokensPotential tokens that they may still produce at most, as their callers allowed
 * @param maxConcurrency requests at once
 * @param observedDecodeTps tokens/s of one stream, measured; finite
 * @param observedPrefillTps tokens/s, measured; finite
 * @param activeTokenBudgetUsed tokens of KV cache that running requests hold or have reserved
 * @param kvBackend {@code paged} or {@code contiguous}
 */
public record SlotReport(String model, SlotState state, int numRunning, int numWaiting, long activeTokens, long maxTokensPotential,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) int maxConcurrency,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) double observedDecodeTps,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) double observedPrefillTps,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long activeTokenBudgetUsed,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long activeTokenBudgetMax,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long queuedTokenBudget,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long kvBytesPerToken,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long modelLoadTimeMs,
        Optional<String> kvBackend, Optional<String> kvBackendFallbackReason,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long stepsExecuted,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long admits,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long firstTokensEmitted,
        OptionalDouble secondsSinceLastStep, OptionalDouble secondsSinceLastFirstToken,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean wedgeSuspected,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long evalInFlightMs,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long idleClearInFlightMs) {
    public SlotReport {
        state = state == null ? SlotState.UNKNOWN : state;
        Checks.finite(observedDecodeTps, "observed_decode_tps");
        Checks.finite(observedPrefillTps, "observed_prefill_tps");
        Checks.finite(secondsSinceLastStep, "seconds_since_last_step");
        Checks.finite(secondsSinceLastFirstToken, "seconds_since_last_first_token");
    }

    /** Returns what every coordinator reads, everything else left out. */
    public static SlotReport of(String model, SlotState state, int numRunning, int numWaiting, long activeTokens, long maxTokensPotential) {
        return new SlotReport(model, state, numRunning, numWaiting, activeTokens, maxTokensPotential, 0, 0, 0, 0, 0, 0, 0, 0,
                Optional.empty(), Optional.empty(), 0, 0, 0, OptionalDouble.empty(), OptionalDouble.empty(), false, 0, 0);
    }
}
