package dev.darkbloom.agent.crypto;

import java.util.HashSet;
import java.util.Set;

/**
 * Remembers which requests have been opened, so that a recorded one is not answered twice.
 *
 * <p>Bounded: of two generations with up to {@code capacity} fingerprints each the older one is forgotten whole when the newer one is full,
 * so at least the last {@code capacity} requests are known. What is older cannot come back for long either, since the agent's key lives no
 * longer than its process. Any thread.
 */
public final class ReplayGuard {
    /** Requests that are remembered at least; some 100 bytes of heap each, twice. */
    public static final int DEFAULT_CAPACITY = 16_384;

    private final int capacity;
    private Set<Fingerprint> newer = new HashSet<>(); // both guarded by this
    private Set<Fingerprint> older = new HashSet<>();

    /** Half of a SHA-256 over key and nonce, which are public. */
    private record Fingerprint(long high, long low) {}

    public ReplayGuard() {
        this(DEFAULT_CAPACITY);
    }

    /** Returns a guard that knows at least the last {@code capacity} requests; at least 1. */
    public ReplayGuard(int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("a replay guard remembers at least one request, not " + capacity);
        }
        this.capacity = capacity;
    }

    /** Remembers a fingerprint; returns false if it was known. */
    synchronized boolean isNew(long high, long low) {
        var fingerprint = new Fingerprint(high, low);
        if (older.contains(fingerprint) || !newer.add(fingerprint)) {
            return false;
        }
        if (newer.size() == capacity) {
            older = newer;
            newer = new HashSet<>();
        }
        return true;
    }

    /** Returns how many fingerprints are held now. */
    synchronized int size() {
        return newer.size() + older.size();
    }
}
