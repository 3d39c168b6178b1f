package dev.darkbloom.agent.protocol;

import java.lang.foreign.MemorySegment;

/**
 * A sealed payload as messages carry it, outside the heap.
 *
 * @param ephemeralPublicKey base64 of the sender's X25519 key; in a chunk the agent's registered one, letter for letter
 * @param ciphertext base64 of nonce, tag and sealed bytes, as ASCII; borrowed from the frame it came in, or from who built it
 */
public record EncryptedPayload(String ephemeralPublicKey, MemorySegment ciphertext) {
    @Override
    public String toString() {
        return "EncryptedPayload[bytes=" + ciphertext.byteSize() + "]";
    }
}
