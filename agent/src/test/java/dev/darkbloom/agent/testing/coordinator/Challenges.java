package dev.darkbloom.agent.testing.coordinator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** The challenges of one connection: what was asked, and whether the answers are right (provider protocol, 6). */
final class Challenges {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int NONCE_BYTES = 32;
    /** Members that the status signature covers where they are sent, besides nonce and timestamp. */
    private static final List<String> SIGNED = List.of("active_model_hash", "binary_hash", "hypervisor_active", "model_hashes", "python_hash",
            "rdma_disabled", "runtime_hash", "secure_boot_enabled", "sip_enabled", "template_hashes");

    private final Violations violations;
    private final Map<String, String> open = new ConcurrentHashMap<>();

    Challenges(Violations violations) {
        this.violations = violations;
    }

    /** Returns a new challenge as it is sent. */
    String next() {
        var random = new byte[NONCE_BYTES];
        new Random().nextBytes(random);
        String nonce = Base64.getEncoder().encodeToString(random);
        String timestamp = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        open.put(nonce, timestamp);
        return JsonNodeFactory.instance.objectNode().put("type", "attestation_challenge").put("nonce", nonce).put("timestamp", timestamp).toString();
    }

    /** Checks an answer by the keys of {@code registration}; returns whether it answers a challenge at all. */
    boolean check(JsonNode answer, JsonNode registration) throws Exception {
        String nonce = answer.path("nonce").asText();
        String timestamp = open.remove(nonce);
        if (timestamp == null) {
            violations.add("an answer to no challenge");
            return false;
        }
        if (!answer.path("public_key").asText().equals(registration.path("public_key").asText())) {
            violations.add("a challenge was answered for another key");
        }
        String key = registration.path("attestation").path("attestation").path("publicKey").asText();
        if (!key.isEmpty() && !DeviceKey.verify(key, nonce + timestamp, answer.path("signature").asText())) {
            violations.add("the signature of a challenge's answer is wrong");
        }
        if (!key.isEmpty() && !DeviceKey.verify(key, status(answer, nonce, timestamp), answer.path("status_signature").asText())) {
            violations.add("the status signature is wrong");
        }
        return true;
    }

    private static String status(JsonNode answer, String nonce, String timestamp) throws Exception {
        var status = new TreeMap<String, Object>();
        for (String name : SIGNED) {
            if (answer.has(name)) {
                status.put(name, answer.get(name));
            }
        }
        status.put("nonce", nonce);
        status.put("timestamp", timestamp);
        return JSON.writeValueAsString(status);
    }
}
