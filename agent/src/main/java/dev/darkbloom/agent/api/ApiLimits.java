package dev.darkbloom.agent.api;

import java.time.Duration;

/**
 * What one client may take from the endpoint, in bytes and in time.
 *
 * @param maxConnections connections open at once; the next one is answered 503 and closed
 * @param requestLineBytes longest request line
 * @param headerBytes all header lines of one request together
 * @param bodiesBytes bodies in memory at once, all connections together
 * @param discardBytes largest refused body that is read off so that the connection can stay open
 * @param pipelinedBytes bytes of later requests that are held while one is answered; then reading stops
 * @param unsentBytes bytes of one answer that may wait for the reader before the request's thread waits too
 * @param headTime from a request's first byte to the end of its headers
 * @param bodyTime how long a body may take, before {@code bodyBytesPerSecond} adds to it
 * @param bodyBytesPerSecond each that arrives buys the sender one more second, so slow senders end and large bodies do not
 * @param idleTime how long a connection stays open without a request
 * @param stallTime how long a reader may take nothing of what waits for it
 * @param lingerTime how long a connection that was refused goes on taking bytes, so that the client reads the refusal and not a reset
 */
public record ApiLimits(
        int maxConnections,
        int requestLineBytes,
        int headerBytes,
        long bodiesBytes,
        int discardBytes,
        int pipelinedBytes,
        int unsentBytes,
        Duration headTime,
        Duration bodyTime,
        int bodyBytesPerSecond,
        Duration idleTime,
        Duration stallTime,
        Duration lingerTime) {
    private static final int KIB = 1 << 10;
    private static final int MIB = 1 << 20;

    /** For a few tools of one owner on one machine. */
    public static final ApiLimits DEFAULT = new ApiLimits(
            256,
            8 * KIB,
            32 * KIB,
            512L * MIB,
            MIB,
            64 * KIB,
            256 * KIB,
            Duration.ofSeconds(20),
            Duration.ofSeconds(20),
            8 * KIB,
            Duration.ofSeconds(75),
            Duration.ofSeconds(30),
            Duration.ofSeconds(5));

    public ApiLimits {
        if (maxConnections < 1 || bodyBytesPerSecond < 1 || unsentBytes < 1) {
            throw new IllegalArgumentException("limits are at least 1");
        }
    }
}
