package dev.darkbloom.agent.protocol;

import java.nio.charset.StandardCharsets;
import java.util.function.Function;

/**
 * An {@link AttestationBlob} as it travels: the very text that was signed, which nobody may write anew, and the signature.
 *
 * @param statement the JSON of the inner object, byte for byte
 * @param signature base64 of the DER form of an ECDSA signature with SHA-256 over it
 */
public record SignedAttestation(String statement, String signature) {
    /** Signs {@code blob}; {@code signer} makes the base64 of a signature over bytes. */
    public static SignedAttestation sign(AttestationBlob blob, Function<byte[], String> signer) {
        String statement = blob.statement();
        return new SignedAttestation(statement, signer.apply(statement.getBytes(StandardCharsets.UTF_8)));
    }

    /** Returns the bytes that the signature is over. */
    public byte[] signedBytes() {
        return statement.getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Returns what the statement says.
     *
     * @throws MalformedMessageException if it is not an attestation
     */
    public AttestationBlob blob() {
        return WireJson.readBlob(statement);
    }
}
