package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;

/**
 * What the agent has done since its process began. Counters only grow, also over reconnects: a coordinator adds the differences. Those
 * behind the first two are read by newer coordinators only.
 *
 * @param cancelAbortNsSum nanoseconds between a cancel's arrival and the end of its work, all cancels together
 */
public record ServiceStats(long requestsServed, long tokensGenerated,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancellationsReceived,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancellationsBeforeOutput,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancellationsPartialComplete,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long generationErrorsAfterOutput,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long chunkEncryptionErrors,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long streamClosedWithoutTerminal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelDuringModelLoad,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long usageGaps,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelStagePreAcceptTotal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelStagePreEngineTotal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelStagePrefillTotal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelStageDecodeTotal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelStagePostTerminalTotal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long tokensAfterCancelTotal,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) long cancelAbortNsSum) {
    /** Returns the counters that every coordinator reads. */
    public static ServiceStats of(long requestsServed, long tokensGenerated) {
        return new ServiceStats(requestsServed, tokensGenerated, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    }
}
