package dev.darkbloom.agent.service.control;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * How a running agent stands: what {@code status} prints and {@code status --json} passes on. Names and units are stable; new ones may come.
 *
 * @param state as {@code AgentState.word}
 * @param advice what its owner should do
 * @param mode {@code local}: answers this machine's own clients, no coordinator is connected; {@code coordinator}; {@code coordinator and local}
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
        Optional<Coordinator> coordinator,
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
     * The connection to a coordinator, and whether work can come through it.
     *
     * @param state as {@code LinkState.word}
     * @param advice what its owner should do about the state
     * @param eligible {@code yes}, {@code no} or {@code unknown}: whether every gate lets work through
     * @param lastEnd how the last connection ended, or why there was none
     * @param nextAttemptAt when the next attempt is made; empty while connected
     * @param attempts failed attempts in a row
     * @param isTestPosture whether what is reported is claimed for a test
     * @param backend engine name in the registration
     * @param privateOnly whether only the owner's own requests are served
     * @param signingKey where the machine's signing key is: {@code secure enclave}, or {@code software}, a file that its owner can copy
     * @param offered models that are offered
     * @param served requests answered since start
     * @param failed requests answered by an error
     * @param cancelled requests that were cancelled
     * @param inFlight requests that run or wait
     * @param tokens tokens written for them
     * @param notOpened requests whose payload could not be opened
     * @param recent ids of the requests answered last, the latest first
     * @param fetches builds of the catalogue that come, wait, or have come or failed lately
     */
    public record Coordinator(
            String url,
            Optional<String> proxy,
            String state,
            String advice,
            Instant since,
            Optional<Instant> connectedAt,
            Optional<Instant> lastHeartbeatAt,
            Optional<Instant> lastChallengeAt,
            Optional<String> lastEnd,
            Optional<Instant> nextAttemptAt,
            int attempts,
            String eligible,
            boolean isTestPosture,
            String backend,
            boolean privateOnly,
            String signingKey,
            List<String> offered,
            long served,
            long failed,
            long cancelled,
            int inFlight,
            long tokens,
            long notOpened,
            long unknownMessages,
            long malformedMessages,
            List<String> recent,
            List<Fetch> fetches,
            List<Gate> gates,
            List<Finding> posture) {
        public Coordinator {
            offered = List.copyOf(offered);
            recent = List.copyOf(recent);
            fetches = List.copyOf(fetches);
            gates = List.copyOf(gates);
            posture = List.copyOf(posture);
        }

        /** Returns this part as indented JSON, names in snake case. */
        public String toJson() {
            return StatusCodec.coordinator(this).toPrettyString();
        }
    }

    /**
     * A build that is fetched from the coordinator's catalogue.
     *
     * @param state {@code waiting}, {@code fetching}, {@code done}, {@code failed} or {@code cancelled}
     * @param bytesTotal 0 until it is known
     * @param problem why it failed
     */
    public record Fetch(String build, String state, long bytesDone, long bytesTotal, Optional<String> problem) {}

    /**
     * One condition of getting work.
     *
     * @param verdict {@code pass}, {@code fail} or {@code unknown}
     * @param isRequired whether nothing comes while it fails
     * @param remedy empty where there is nothing to do
     * @param provenAt when it was found so
     */
    public record Gate(String name, String verdict, boolean isRequired, String detail, String remedy, Optional<Instant> provenAt) {}

    /**
     * One measured fact of this machine's protections.
     *
     * @param value {@code true}, {@code false}, {@code unknown}, or a hash
     * @param proof what said so
     */
    public record Finding(String name, String value, String proof, Instant at) {}

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
