package dev.darkbloom.agent.service.control;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * How a running agent stands: what {@code status} prints and {@code status --json} passes on. Names and units are stable; new ones may come.
 *
 * @param state as {@code AgentState.word}
 * @param advice what its owner should do
 * @param mode {@code local}: answers this machine's own clients, no coordinator is connected
 * @param version of the agent; the three behind it are as {@code --version} prints them
 * @param logFile where to read more
 */
public record StatusReport(
        String state,
        String advice,
        String mode,
        long pid,
        String version,
        String llamaCpp,
        String java,
        String platform,
        Instant startedAt,
        long uptimeSeconds,
        Optional<Endpoint> endpoint,
        List<Model> models,
        Memory memory,
        String home,
        String configFile,
        String logFile) {

    public StatusReport {
        models = List.copyOf(models);
    }

    /** Returns the report as indented JSON, names in snake case. */
    public String toJson() {
        return ControlCodec.pretty(this);
    }

    /**
     * The local HTTP endpoint.
     *
     * @param isReachableFromOutside whether it listens on more than loopback
     */
    public record Endpoint(String baseUrl, String bind, int port, boolean requiresKey, boolean isReachableFromOutside) {}

    /**
     * One model.
     *
     * @param state {@code unloaded}, {@code loading}, {@code ready}, {@code draining} or {@code failed}
     * @param loadProgress 0 to 1
     * @param prefillTokensPerSecond seen lately; 0 before the first request
     * @param decodeTokensPerSecond seen lately, all slots together; 0 before the first request
     * @param compute how it computes; empty before its first load
     */
    public record Model(
            String id,
            String state,
            double loadProgress,
            Optional<String> lastError,
            int slots,
            int busySlots,
            int waiting,
            int queueLimit,
            int contextTokens,
            long usedTokens,
            long promptTokens,
            long cachedTokens,
            long generatedTokens,
            long finishedRequests,
            long failedRequests,
            long cancelledRequests,
            long refusedRequests,
            double prefillTokensPerSecond,
            double decodeTokensPerSecond,
            long reservedBytes,
            Optional<Compute> compute) {}

    /**
     * How a model computes, and why so.
     *
     * @param threads threads that compute
     * @param threadPolling how eagerly they wait for the next step, 0 to 100
     * @param flashAttention {@code auto}, {@code off} or {@code on}
     * @param ubatchTokens prompt tokens that the backend computes at once
     * @param measuredPrefillTokensPerSecond by which the first prompt is cut into steps; 0 when it was not measured
     * @param calibration {@code measured}; or safe settings: {@code waiting} for another moment, {@code kept} because a calibration found
     *     nothing, {@code off} because there is none
     * @param reason what is waited for, or why nothing was found; empty when measured
     * @param measuredAt when; empty unless measured
     * @param speedup how many times as fast as the safe settings; 0 unless measured
     * @param spread how far apart comparisons of the same settings lay, as a share; 0 unless measured
     */
    public record Compute(
            int threads,
            int threadPolling,
            String flashAttention,
            int ubatchTokens,
            double measuredPrefillTokensPerSecond,
            String calibration,
            Optional<String> reason,
            Optional<Instant> measuredAt,
            double speedup,
            double spread) {

        /** Returns this part as JSON, names in snake case. */
        public String toJson() {
            return StatusCodec.toJson(this).toString();
        }
    }

    /**
     * The memory ledger.
     *
     * @param budgetBytes what models may take, all together
     * @param reservedBytes what loaded models hold of it
     * @param physicalBytes the machine's memory
     * @param availableBytes what the system could give now
     */
    public record Memory(long budgetBytes, long reservedBytes, long physicalBytes, long availableBytes) {}
}
