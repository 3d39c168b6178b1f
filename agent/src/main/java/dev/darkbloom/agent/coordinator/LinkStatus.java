package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.CoordinatorMessage.Mismatch;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The connection at one moment.
 *
 * @param address the coordinator's
 * @param proxy what leads to it, if anything
 * @param since when {@code state} was entered
 * @param attempts failed attempts in a row
 * @param nextAttempt when the next one is made
 * @param lastEnd how the last connection ended, or why there was none
 * @param connectedAt when the present connection registered
 * @param lastHeartbeat when a report was last written to it
 * @param lastChallenge when a challenge was last answered
 * @param lastServed when a request was last answered on this connection, as this node stands with the coordinator now
 * @param isLater whether it has sent a message that only newer coordinators send
 * @param trust what the coordinator says it thinks of this node
 * @param mismatches hashes that it does not accept; routed nothing while there are any
 * @param listed what its public list said last
 * @param manifest what it says of the hashes that it accepts
 * @param catalogueGb GB of weights that its catalogue says of each model; empty where it was not read
 * @param warning what a person should look at although there is, or may be, a connection
 */
public record LinkStatus(
        CoordinatorAddress address,
        Optional<String> proxy,
        LinkState state,
        Instant since,
        int attempts,
        Optional<Instant> nextAttempt,
        Optional<LinkEnd> lastEnd,
        Optional<Instant> connectedAt,
        Optional<Instant> lastHeartbeat,
        Optional<Instant> lastChallenge,
        Optional<Instant> lastServed,
        boolean isLater,
        Optional<Trust> trust,
        List<Mismatch> mismatches,
        Optional<Listing> listed,
        Optional<Manifest> manifest,
        Map<String, Double> catalogueGb,
        Optional<String> warning,
        Traffic traffic) {
    public LinkStatus {
        mismatches = List.copyOf(mismatches);
        catalogueGb = Map.copyOf(catalogueGb);
    }

    /** Returns what its owner should do: what is known of the last end, where that is why there is no connection, or else the state's advice. */
    public String advice() {
        return warning.or(() -> lastEnd.filter(end -> end.kind().state() == state).flatMap(LinkEnd::remedy)).orElse(state.advice());
    }

    /** What a coordinator told. */
    public record Trust(String level, String status, Optional<String> reason, Instant at) {
        public Trust {
            status = LinkEnd.plain(status);
            reason = reason.map(LinkEnd::plain);
        }
    }

    /**
     * What a public list showed.
     *
     * @param isThere whether this node was in it
     * @param trustLevel as listed; empty where it was not
     * @param status as listed, for example {@code online}
     */
    public record Listing(boolean isThere, String trustLevel, String status, List<String> models, Instant at) {
        public Listing {
            trustLevel = LinkEnd.plain(trustLevel);
            status = LinkEnd.plain(status);
            models = models.stream().map(LinkEnd::plain).toList();
        }
    }

    /** Whether the coordinator has a manifest of hashes; one without routes to nobody. */
    public record Manifest(boolean isConfigured, Instant at) {}

    /**
     * Requests through this coordinator, since the process began.
     *
     * @param notOpened requests whose payload was changed, cut, repeated or sealed for another key
     * @param unknownTypes messages of types that this agent does not know
     * @param malformed messages that are none
     * @param recent ids of the requests answered last, the latest first
     */
    public record Traffic(int inFlight, long served, long failed, long cancelled, long tokens, long notOpened, long unknownTypes,
            long malformed, List<String> recent) {
        public Traffic {
            recent = List.copyOf(recent);
        }
    }
}
