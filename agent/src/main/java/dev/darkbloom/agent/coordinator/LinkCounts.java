package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.crypto.PayloadFailure;
import java.util.Map;

/**
 * What a link has done since the process began. Numbers only grow, but for {@code inFlight}; all of them together are not of one moment.
 *
 * @param attempts to connect
 * @param registrations connections that came to be
 * @param heartbeats reports that were written
 * @param ends of connections and of attempts, by what they meant
 * @param inFlight requests that have not ended
 * @param served requests that were answered
 * @param failed requests that were answered by an error
 * @param cancels requests that the coordinator cancelled, by where they stood
 * @param lateCancels cancels of requests that had ended, as one comes after each
 * @param tokens that answers had
 * @param chunks that were sealed and sent
 * @param notOpened requests that could not be opened, by the reason
 * @param duplicates requests whose id had been used before
 * @param unknownTypes messages of types that this agent does not know
 * @param unknownFields fields that it does not know
 * @param malformed messages that are none
 * @param challengesIgnored challenges whose nonce or time is none, which are not signed
 */
public record LinkCounts(long attempts, long registrations, long heartbeats, Map<LinkEnd.Kind, Long> ends, long inFlight, long served, long failed,
        Map<CancelStage, Long> cancels, long lateCancels, long tokens, long chunks, Map<PayloadFailure.Reason, Long> notOpened, long duplicates,
        long unknownTypes, long unknownFields, long malformed, long challengesIgnored) {
    /** Where a request stood when it was cancelled. */
    public enum CancelStage { OPENING, WORKING, ANSWERING }

    public LinkCounts {
        ends = Map.copyOf(ends);
        cancels = Map.copyOf(cancels);
        notOpened = Map.copyOf(notOpened);
    }

    /** Who has a link. Any thread. */
    public interface Source {
        LinkStatus status();

        LinkCounts counts();
    }
}
