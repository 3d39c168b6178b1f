package dev.darkbloom.agent.coordinator;

import java.time.Duration;

/**
 * How a connection is kept (provider protocol, 1 and 2).
 *
 * @param heartbeat time between two reports
 * @param ping time between two pings
 * @param pong longest time without a pong after a ping
 * @param silence wall clock without a report written after which the coordinator may have forgotten the node, which a report does not mend
 * @param listing time between two looks into the coordinator's public list; a new connection is looked for sooner
 * @param listPages whether that list is looked at
 * @param forPerson time between two attempts where only a person can mend what is wrong
 * @param settling what a coordinator is given, at the end, to acknowledge that all is settled
 * @param socket limits of the socket
 * @param desk limits of requests
 */
record LinkSettings(Duration heartbeat, Duration ping, Duration pong, Duration silence, Duration listing, boolean listPages, Duration forPerson,
        Duration settling, SocketSettings socket, RequestDesk.Limits desk) {
    static LinkSettings defaults(String userAgent) {
        return new LinkSettings(Duration.ofSeconds(5), Duration.ofSeconds(10), Duration.ofSeconds(30), Duration.ofSeconds(75),
                Duration.ofSeconds(60), true, Duration.ofSeconds(60), Duration.ofSeconds(10), SocketSettings.defaults(userAgent), RequestDesk.Limits.DEFAULT);
    }

    LinkSettings withHeartbeat(Duration interval) {
        return new LinkSettings(interval, ping, pong, silence, listing, listPages, forPerson, settling, socket, desk);
    }
}
