package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A coordinator's public list of connected agents ({@code GET /v1/providers/attestation}), as far as an agent finds itself in it.
 *
 * @param entries those that carry a signing key
 */
public record ProviderList(List<Entry> entries) {
    private static final JsonMapper MAPPER = new JsonMapper();

    public ProviderList {
        entries = List.copyOf(entries);
    }

    /** One agent; texts that are absent are empty. */
    public record Entry(String signingKey, String serialNumber, String trustLevel, String status, List<String> models) {
        public Entry {
            models = List.copyOf(models);
        }
    }

    /** Returns the list in a page; empty when the page holds none. Unknown members are ignored. */
    public static Optional<ProviderList> parse(String page) {
        JsonNode json;
        try {
            json = MAPPER.readTree(page);
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
        JsonNode list = json.isArray() ? json : json.path("providers");
        if (!list.isArray() && !(json.isObject() && list.isNull())) {
            return Optional.empty(); // Go writes null for an empty list
        }
        var entries = new ArrayList<Entry>();
        for (JsonNode each : list) {
            String key = each.path("se_public_key").asText("");
            if (!key.isEmpty()) {
                var models = new ArrayList<String>();
                each.path("models").forEach(model -> models.add(model.asText()));
                entries.add(new Entry(key, each.path("serial_number").asText(""), each.path("trust_level").asText(""),
                        each.path("status").asText(""), models));
            }
        }
        return Optional.of(new ProviderList(entries));
    }

    /** Returns whether a page of {@code GET /v1/runtime/manifest} says that there is a manifest; empty when it says neither. */
    public static Optional<Boolean> isManifestConfigured(String page) {
        try {
            return Optional.of(MAPPER.readTree(page).path("configured")).filter(JsonNode::isBoolean).map(JsonNode::booleanValue);
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
    }

    /** Returns the agent with a signing key. */
    public Optional<Entry> bySigningKey(String key) {
        return entries.stream().filter(entry -> entry.signingKey().equals(key)).findFirst();
    }
}
