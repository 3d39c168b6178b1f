package dev.darkbloom.agent.crypto;

/**
 * The P-256 key that stands for this machine: it signs the registration, answers to challenges and, where that is on, answers to requests.
 *
 * <p>It is the node's stable identity and never signs content itself, only statements and hashes of ours. Any thread.
 */
public interface DeviceSigner {
    /** Returns the public key as the attestation carries it: base64 of the 64 bytes {@code X ‖ Y}. */
    String publicKey();

    /** Returns the base64 of the DER form of an ECDSA signature with SHA-256 over {@code statement}. */
    String sign(byte[] statement);

    /** Returns whether the secret half is held by a Secure Enclave and cannot leave it. */
    boolean isInSecureEnclave();
}
