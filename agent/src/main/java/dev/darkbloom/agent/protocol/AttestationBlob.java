package dev.darkbloom.agent.protocol;

import java.util.HashMap;
import java.util.Optional;

/**
 * What the agent says of its machine when it registers, to be signed (section 12.1). Measured, never assumed; absent where the system does
 * not tell.
 *
 * @param encryptionPublicKey base64 of the registered X25519 key
 * @param publicKey base64 of the P-256 key that signs, {@code X ‖ Y}
 * @param secureEnclaveAvailable whether that key is held by a Secure Enclave
 * @param serialNumber the machine's; a second agent with the same one replaces the first
 * @param timestamp RFC 3339, UTC, whole seconds
 */
public record AttestationBlob(boolean authenticatedRootEnabled, Optional<String> binaryHash, String chipName,
        Optional<String> encryptionPublicKey,
        String hardwareModel, Optional<Boolean> hypervisorActive, String osVersion, String publicKey, boolean rdmaDisabled,
        boolean secureBootEnabled, boolean secureEnclaveAvailable, Optional<String> serialNumber, boolean sipEnabled,
        Optional<String> systemVolumeHash, String timestamp) {
    /** Returns the JSON that is signed and sent, byte for byte. */
    public String statement() {
        var members = new HashMap<String, Object>();
        members.put("authenticatedRootEnabled", authenticatedRootEnabled);
        binaryHash.ifPresent(text -> members.put("binaryHash", text));
        members.put("chipName", chipName);
        encryptionPublicKey.ifPresent(text -> members.put("encryptionPublicKey", text));
        members.put("hardwareModel", hardwareModel);
        hypervisorActive.ifPresent(is -> members.put("hypervisorActive", is));
        members.put("osVersion", osVersion);
        members.put("publicKey", publicKey);
        members.put("rdmaDisabled", rdmaDisabled);
        members.put("secureBootEnabled", secureBootEnabled);
        members.put("secureEnclaveAvailable", secureEnclaveAvailable);
        serialNumber.ifPresent(text -> members.put("serialNumber", text));
        members.put("sipEnabled", sipEnabled);
        systemVolumeHash.ifPresent(text -> members.put("systemVolumeHash", text));
        members.put("timestamp", timestamp);
        return CanonicalJson.of(members);
    }
}
