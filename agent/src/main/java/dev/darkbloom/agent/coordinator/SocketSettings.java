package dev.darkbloom.agent.coordinator;

import java.time.Duration;

/**
 * Limits of the connection.
 *
 * @param connectLimit name lookup to the end of the handshake
 * @param frameBytes largest message taken, in one frame or several
 * @param heldBytes what may lie unread before the socket stops reading; one message more may come
 * @param unsentBytes what may lie unsent before senders wait; what nobody waits for (pongs, refusals) may come to {@link #mostUnsentBytes}
 * @param userAgent header of the handshake
 */
record SocketSettings(Duration connectLimit, int frameBytes, long heldBytes, int unsentBytes, String userAgent) {
    private static final int CLOGGED = 256;

    /** Returns what may lie unsent at all: with more than that the connection is given up. */
    long mostUnsentBytes() {
        return (long) unsentBytes * CLOGGED;
    }

    static SocketSettings defaults(String userAgent) {
        return new SocketSettings(Duration.ofSeconds(20), 64 << 20, 64L << 20, 256 << 10, userAgent);
    }
}
