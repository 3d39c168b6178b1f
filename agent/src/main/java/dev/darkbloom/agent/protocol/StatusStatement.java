package dev.darkbloom.agent.protocol;

import dev.darkbloom.agent.protocol.AgentMessage.AttestationResponse;
import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * What the agent says of itself when it is challenged, and the bytes it signs for that (sections 12.3 and 12.4).
 *
 * @param nonce the challenge's
 * @param timestamp the challenge's, letter for letter
 * @param binaryHash hexadecimal SHA-256 of the agent
 * @param activeModelHash of the weights that are served; hexadecimal
 * @param modelHashes model id to hash
 */
public record StatusStatement(String nonce, String timestamp, NodePosture posture, Optional<String> binaryHash,
        Optional<String> activeModelHash, RuntimeHashes runtimeHashes, Map<String, String> modelHashes) {
    public StatusStatement {
        modelHashes = Map.copyOf(modelHashes);
    }

    /** Returns the statement that {@code response} makes in answer to {@code challenge}, for who checks it. */
    public static StatusStatement of(AttestationChallenge challenge, AttestationResponse response) {
        return new StatusStatement(challenge.nonce(), challenge.timestamp(), response.posture(), response.binaryHash(),
                response.activeModelHash(), response.runtimeHashes(), response.modelHashes());
    }

    /** Returns the bytes of the first signature: nonce and timestamp without anything between. */
    public byte[] challengeBytes() {
        return (nonce + timestamp).getBytes(StandardCharsets.UTF_8);
    }

    /** Returns the bytes of the second signature: canonical JSON of everything that is there. */
    public byte[] canonicalBytes() {
        var members = new HashMap<String, Object>();
        members.put("nonce", nonce);
        members.put("timestamp", timestamp);
        posture.sipEnabled().ifPresent(is -> members.put("sip_enabled", is));
        posture.secureBootEnabled().ifPresent(is -> members.put("secure_boot_enabled", is));
        posture.rdmaDisabled().ifPresent(is -> members.put("rdma_disabled", is));
        posture.hypervisorActive().ifPresent(is -> members.put("hypervisor_active", is));
        put(members, "binary_hash", binaryHash);
        put(members, "active_model_hash", activeModelHash);
        put(members, "python_hash", runtimeHashes.pythonHash());
        put(members, "runtime_hash", runtimeHashes.runtimeHash());
        put(members, "template_hashes", runtimeHashes.templateHashes());
        put(members, "model_hashes", modelHashes);
        return CanonicalJson.of(members).getBytes(StandardCharsets.UTF_8);
    }

    private static void put(Map<String, Object> members, String name, Optional<String> hash) {
        hash.filter(text -> !text.isEmpty()).ifPresent(text -> members.put(name, text));
    }

    private static void put(Map<String, Object> members, String name, Map<String, String> hashes) {
        if (!hashes.isEmpty()) {
            members.put(name, hashes);
        }
    }

    /**
     * Returns the answer to the challenge, signed.
     *
     * @param publicKey the X25519 key as registered
     * @param signer makes the base64 of a signature over bytes with the key of the attestation
     */
    public AttestationResponse signed(String publicKey, Function<byte[], String> signer) {
        return new AttestationResponse(nonce, signer.apply(challengeBytes()), Optional.of(signer.apply(canonicalBytes())), publicKey,
                posture, binaryHash, activeModelHash, runtimeHashes, modelHashes);
    }
}
