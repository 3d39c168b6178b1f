package dev.darkbloom.agent.testing.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.Base64;
import java.util.List;
import java.util.Set;

/** What a coordinator demands of a registration and of a report (provider protocol, 4 and 5), and what is of which era (3.1). */
final class MessageChecks {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int KEY_BYTES = 32;
    private static final Set<String> LATER_OF_AGENTS = Set.of("code_attestation_response", "load_model_status", "prefetch_model_status", "models_update",
            "models_replace", "models_replace_ready", "provider_drain", "service_reservation_released", "capacity_quote", "prefix_cache_lookup",
            "prefix_cache_ready", "prefix_cache_lookup_v2", "prefix_cache_ready_v2", "app_attest_shadow");
    private static final Set<String> LATER_OF_COORDINATORS = Set.of("code_attestation_resume_challenge", "load_model", "prefetch_model",
            "desired_models", "trust_status", "capacity_probe", "provider_drain_ack", "models_replace_ack", "models_replace_resumed",
            "app_attest_shadow");

    private final Violations violations;

    MessageChecks(Violations violations) {
        this.violations = violations;
    }

    /** Returns whether a coordinator of April 2026 does not know what an agent sends. */
    boolean isLaterOfAgents(String type) {
        return LATER_OF_AGENTS.contains(type);
    }

    /** Returns whether a message to an agent is one of the later protocol; garbage is not. */
    boolean isLater(String json) {
        try {
            return LATER_OF_COORDINATORS.contains(JSON.readTree(json).path("type").asText());
        } catch (JsonProcessingException e) {
            return false;
        }
    }

    /** Checks a registration; {@code text} is its frame, since the attestation is signed as it stands there. */
    void registration(JsonNode message, String text) throws Exception {
        JsonNode hardware = message.path("hardware");
        violations.requireInteger(hardware, "memory_gb");
        violations.requireInteger(hardware, "gpu_cores");
        for (String kind : List.of("total", "performance", "efficiency")) {
            violations.requireInteger(hardware.path("cpu_cores"), kind);
        }
        message.path("models").forEach(model -> {
            violations.requireInteger(model, "size_bytes");
            violations.requireText(model, "id");
        });
        violations.requireText(message, "backend");
        if (Base64.getDecoder().decode(message.path("public_key").asText()).length != KEY_BYTES) {
            violations.add("public_key is not 32 bytes");
        }
        if (!message.path("encrypted_response_chunks").asBoolean()) {
            violations.add("chunks are not promised to be encrypted");
        }
        attestation(message, text);
    }

    /** As the real one: over the raw bytes of the inner object, which are cut out of the frame. */
    private void attestation(JsonNode message, String text) throws Exception {
        JsonNode inner = message.path("attestation").path("attestation");
        if (inner.isMissingNode()) {
            return;
        }
        String raw = JSON.writeValueAsString(inner);
        if (!text.contains(raw)) {
            violations.add("the attestation is not canonical JSON");
            return;
        }
        if (!DeviceKey.verify(inner.path("publicKey").asText(), raw, message.path("attestation").path("signature").asText())) {
            violations.add("the attestation's signature is wrong");
        }
        if (!inner.path("encryptionPublicKey").asText().equals(message.path("public_key").asText())) {
            violations.add("the attestation is for another key");
        }
    }

    void heartbeat(JsonNode message) {
        JsonNode metrics = message.path("system_metrics");
        for (String name : List.of("memory_pressure", "cpu_usage")) {
            double value = metrics.path(name).asDouble(-1);
            if (value < 0 || value > 1) {
                violations.add(name + " is " + metrics.path(name));
            }
        }
        violations.requireInteger(message.path("stats"), "requests_served");
        violations.requireInteger(message.path("stats"), "tokens_generated");
        message.path("backend_capacity").path("slots").forEach(slot -> {
            for (String name : List.of("num_running", "num_waiting", "active_tokens", "max_tokens_potential")) {
                violations.requireInteger(slot, name);
            }
        });
    }
}
