package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import dev.darkbloom.agent.protocol.CoordinatorMessage.CapacityProbe;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import dev.darkbloom.agent.protocol.ServiceStats;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What this node says of itself. {@link NodeReport} is the real one. */
public interface NodeSelf {
    /** What was measured longer ago is measured again. */
    Duration MEASURED_FOR = Duration.ofSeconds(10);

    /**
     * Measures ahead what the next registration tells, so that it need not; what is measured is good for {@link #MEASURED_FOR}. May block like {@link
     * #registration}.
     */
    default void prepare() {}

    /** Returns the registration, made of what is measured now or was by {@link #prepare}. May start tools of the system and block for seconds. */
    AgentMessage.Register registration();

    /** Returns the signed answer to a challenge, made of what is measured now. May block like {@link #registration}. */
    AgentMessage.AttestationResponse answer(AttestationChallenge challenge);

    /**
     * Returns how things stand. Never blocks.
     *
     * @param inFlight requests of the coordinator that have not ended
     * @param capacitySeq number of this report, from 1; 0 towards coordinators that do not know such numbers
     */
    AgentMessage.Heartbeat heartbeat(boolean draining, int inFlight, ServiceStats stats, long capacitySeq);

    /** Returns whether such a request would be taken now, by the rules that will judge it. Never blocks. */
    AgentMessage.CapacityQuote quote(CapacityProbe probe, boolean draining, long capacitySeq);

    /**
     * Returns the least that a request's first token takes from now on, in milliseconds; 0 when nothing is known. By the estimate that quotes are
     * made of; never blocks.
     */
    default double leastFirstContentMs(String modelId, int promptTokens) {
        return 0;
    }

    /**
     * What a model has room for.
     *
     * @param freeTokens of its KV cache, neither held nor promised
     * @param waitMs until it would probably take one request more, by the estimate that quotes are made of; 0 when it would now or nothing is known
     */
    record Room(long freeTokens, double waitMs) {}

    /** Returns what a model has room for now; empty for one that is not offered. Never blocks. */
    default Optional<Room> room(String modelId, int promptTokens) {
        return Optional.empty();
    }

    /**
     * Loads a model; blocks until it serves.
     *
     * @return why it does not, in words for the coordinator; empty when it does
     */
    Optional<String> load(String modelId) throws InterruptedException;

    /** Has a build fetched, as {@link NodeModels#prefetch}. */
    void prefetch(String modelId, long priority, NodeModels.PrefetchNews news);

    /** Takes what the coordinator would like here, as {@link NodeModels#desired}. */
    void desired(List<DesiredModel> models);

    /** Returns what is offered now, for a coordinator that knows of models that come and go. Never blocks. */
    AgentMessage.ModelsUpdate offered();

    /** Returns the key by which the coordinator's public list shows this node: base64 of a P-256 point. */
    String signingKey();
}
