package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.content.Base64Text;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * An X25519 key pair: a provider's, made anew in every process, or the one that a coordinator makes for each request it passes on.
 *
 * <p>The secret half lies in locked memory outside the heap, never on disk, and is zeroed by {@link #close}. Owned by who generated it; any
 * thread may make boxes with it until then.
 */
public final class BoxKeys implements AutoCloseable {
    private final Sodium sodium;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment secretPart;
    private final MemorySegment publicPart;
    private final String publicKey;

    private BoxKeys(Sodium sodium, MemorySegment givenSecret) {
        this.sodium = sodium;
        try {
            secretPart = sodium.allocateLocked(Sodium.KEY_BYTES, arena);
            publicPart = arena.allocate(Sodium.KEY_BYTES);
            if (givenSecret == null) {
                sodium.newKeyPair(publicPart, secretPart);
            } else {
                MemorySegment.copy(givenSecret, 0, secretPart, 0, Sodium.KEY_BYTES);
                sodium.publicPart(publicPart, secretPart);
            }
            publicKey = base64(publicPart);
        } catch (Throwable t) {
            arena.close();
            throw t;
        }
    }

    /** Makes a new pair from the system's random numbers. */
    public static BoxKeys generate() {
        return new BoxKeys(Sodium.load(), null);
    }

    /** Returns how many key pairs and boxes of this process are not closed yet: one, a provider's own, when no request runs. */
    public static long openCount() {
        return Sodium.lockedCount();
    }

    /** Returns the pair of a known secret, for vectors. */
    static BoxKeys ofSecret(MemorySegment secret) {
        return new BoxKeys(Sodium.load(), secret);
    }

    /** Returns the public half as messages carry it: 44 letters of base64. */
    public String publicKey() {
        return publicKey;
    }

    /**
     * Returns a box between this pair and a peer; the caller closes it.
     *
     * @param peerKey the peer's public key as messages carry it
     * @throws PayloadFailure {@code INVALID_KEY} if it is not the base64 of 32 bytes, or a key of small order
     */
    public RequestBox boxWith(String peerKey) {
        var boxArena = Arena.ofShared();
        try {
            MemorySegment peer = boxArena.allocate(Sodium.KEY_BYTES);
            decodeKey(peerKey, peer);
            MemorySegment shared = sodium.allocateLocked(Sodium.KEY_BYTES, boxArena);
            if (!sodium.sharedKey(shared, peer, secretPart)) {
                throw new PayloadFailure(PayloadFailure.Reason.INVALID_KEY);
            }
            return new RequestBox(sodium, boxArena, shared, peer);
        } catch (Throwable t) {
            boxArena.close();
            throw t;
        }
    }

    private static void decodeKey(String peerKey, MemorySegment target) {
        if (peerKey.length() != Base64Text.encodedLength(Sodium.KEY_BYTES)) {
            throw new PayloadFailure(PayloadFailure.Reason.INVALID_KEY);
        }
        MemorySegment text = MemorySegment.ofArray(peerKey.getBytes(StandardCharsets.ISO_8859_1));
        if (Base64Text.decodedLength(text, 0, text.byteSize()) != Sodium.KEY_BYTES
                || Base64Text.decode(text, 0, text.byteSize(), target, 0) != Sodium.KEY_BYTES) {
            throw new PayloadFailure(PayloadFailure.Reason.INVALID_KEY);
        }
    }

    private static String base64(MemorySegment key) {
        var text = new byte[(int) Base64Text.encodedLength(Sodium.KEY_BYTES)];
        Base64Text.encode(key, 0, Sodium.KEY_BYTES, MemorySegment.ofArray(text), 0);
        return new String(text, StandardCharsets.US_ASCII);
    }

    /** Zeroes and frees both halves; boxes that were made before go on to work. A second call does nothing. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    /** Returns the public half only. */
    @Override
    public String toString() {
        return "BoxKeys[" + publicKey + "]";
    }
}
