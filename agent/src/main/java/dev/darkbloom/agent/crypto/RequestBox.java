package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * NaCl's box between two keys, for one request and all chunks of its answer: what either side seals, the other one opens.
 *
 * <p>A sealed payload is {@code nonce[24] ‖ tag[16] ‖ sealed bytes}, 40 bytes more than the plain one; the nonce is random and new for
 * each. The shared key lies in locked memory and is zeroed by {@link #close}, with which the request ends. One thread at a time. Sealing
 * chunk after chunk out of one buffer into another allocates nothing.
 */
public final class RequestBox implements AutoCloseable {
    /** Bytes that sealing adds. */
    public static final int OVERHEAD = Sodium.NONCE_BYTES + Sodium.TAG_BYTES;

    private final Sodium sodium;
    private final Arena arena;
    private final MemorySegment shared;
    private final MemorySegment peerAndNonce; // of the payload that was opened last
    private final MemorySegment nonce;
    private final MemorySegment hash;

    private MemorySegment viewedTarget; // the buffer and the place in it that nonceView and sealedView belong to
    private long viewedStart;
    private MemorySegment nonceView;
    private MemorySegment sealedView;
    private MemorySegment viewedPlain;  // likewise of plainView
    private long viewedOffset;
    private MemorySegment plainView;

    /** Takes {@code arena} and what was allocated in it. */
    RequestBox(Sodium sodium, Arena arena, MemorySegment shared, MemorySegment peer) {
        this.sodium = sodium;
        this.arena = arena;
        this.shared = shared;
        peerAndNonce = arena.allocate(Sodium.KEY_BYTES + Sodium.NONCE_BYTES);
        MemorySegment.copy(peer, 0, peerAndNonce, 0, Sodium.KEY_BYTES);
        nonce = peerAndNonce.asSlice(Sodium.KEY_BYTES);
        hash = arena.allocate(Sodium.HASH_BYTES, 8);
    }

    /** Appends {@code size} bytes of {@code plain} from {@code offset} on, sealed, to {@code target}: {@code size + 40} bytes. */
    public void seal(MemorySegment plain, long offset, long size, Content target) {
        Objects.checkFromIndexSize(offset, size, plain.byteSize());
        look(target, target.extend(size + OVERHEAD));
        sodium.random(nonceView, Sodium.NONCE_BYTES);
        sodium.seal(sealedView, view(plain, offset), size, nonceView, shared);
    }

    /** Seals with a known nonce, for vectors: with a nonce that is used twice everybody can read both payloads. */
    void sealWithNonce(MemorySegment given, MemorySegment plain, Content target) {
        look(target, target.extend(plain.byteSize() + OVERHEAD));
        nonceView.copyFrom(given);
        sodium.seal(sealedView, plain, plain.byteSize(), nonceView, shared);
    }

    /** Points the views at a payload's place in {@code target}; chunk after chunk they are the same, and making them makes garbage. */
    private void look(Content target, long start) {
        MemorySegment buffer = target.buffer();
        if (buffer != viewedTarget || start != viewedStart) {
            nonceView = buffer.asSlice(start, Sodium.NONCE_BYTES);
            sealedView = buffer.asSlice(start + Sodium.NONCE_BYTES);
            viewedTarget = buffer;
            viewedStart = start;
        }
    }

    private MemorySegment view(MemorySegment plain, long offset) {
        if (plain != viewedPlain || offset != viewedOffset) {
            plainView = plain.asSlice(offset);
            viewedPlain = plain;
            viewedOffset = offset;
        }
        return plainView;
    }

    /**
     * Opens the base64 of a sealed payload and appends the plain bytes to {@code target}, in whose memory alone they ever are.
     *
     * @param text borrowed; its bytes from {@code offset} on
     * @return how many bytes were appended
     * @throws PayloadFailure {@code INVALID_TEXT}, {@code TRUNCATED} or {@code NOT_AUTHENTIC}; {@code target} is as long as before
     */
    public long openText(MemorySegment text, long offset, long size, Content target) {
        long start = target.length();
        long sealed = Base64Text.decode(text, offset, size, target);
        if (sealed < 0) {
            throw new PayloadFailure(PayloadFailure.Reason.INVALID_TEXT);
        }
        return openInPlace(target, start);
    }

    /** Opens a sealed payload like {@link #openText}, given as bytes. */
    public long open(MemorySegment sealed, long offset, long size, Content target) {
        long start = target.length();
        target.append(sealed, offset, size);
        return openInPlace(target, start);
    }

    /** Opens the payload that begins at {@code start} of {@code target} over itself. */
    private long openInPlace(Content target, long start) {
        long sealed = target.length() - start;
        if (sealed < OVERHEAD) {
            target.truncate(start);
            throw new PayloadFailure(PayloadFailure.Reason.TRUNCATED);
        }
        MemorySegment buffer = target.buffer();
        // The plain bytes come to lie where the nonce is, which is needed until the last of them.
        MemorySegment.copy(buffer, start, nonce, 0, Sodium.NONCE_BYTES);
        long tagged = sealed - Sodium.NONCE_BYTES;
        boolean authentic = sodium.open(buffer.asSlice(start, sealed), buffer.asSlice(start + Sodium.NONCE_BYTES, tagged), tagged, nonce,
                shared);
        if (!authentic) {
            target.truncate(start);
            throw new PayloadFailure(PayloadFailure.Reason.NOT_AUTHENTIC);
        }
        target.truncate(start + sealed - OVERHEAD);
        return sealed - OVERHEAD;
    }

    /** Asks {@code guard} whether the payload that was opened last has come before: the same nonce under the same key. */
    boolean isNew(ReplayGuard guard) {
        sodium.sha256(hash, peerAndNonce, peerAndNonce.byteSize());
        return guard.isNew(hash.get(ValueLayout.JAVA_LONG, 0), hash.get(ValueLayout.JAVA_LONG, 8));
    }

    /** Zeroes and frees the key. A second call does nothing. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
