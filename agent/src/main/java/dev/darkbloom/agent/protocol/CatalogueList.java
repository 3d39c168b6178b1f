package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A coordinator's catalogue ({@code GET /v1/models/catalog}), as far as an agent looks into it.
 *
 * @param entries those that have an id; at most {@link #MOST_ENTRIES}
 */
public record CatalogueList(List<Entry> entries) {
    static final int MOST_ENTRIES = 10_000;
    private static final JsonMapper MAPPER = new JsonMapper();

    public CatalogueList {
        entries = List.copyOf(entries);
    }

    /**
     * One model; texts that are absent are empty.
     *
     * @param type for example {@code text}
     * @param sizeGb of the weights that the coordinator counts with; 0 when it does not say
     * @param leastMemoryGb memory of the machines that it should run on; 0 when it does not say
     */
    public record Entry(String id, String name, String type, double sizeGb, long leastMemoryGb) {}

    /** Returns the list in a page; empty when the page holds none. Unknown members are ignored. */
    public static Optional<CatalogueList> parse(String page) {
        JsonNode models;
        try {
            models = MAPPER.readTree(page).path("models");
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
        if (!models.isArray()) {
            return Optional.empty();
        }
        var entries = new ArrayList<Entry>();
        for (JsonNode model : models) {
            if (entries.size() < MOST_ENTRIES && !model.path("id").asText().isEmpty()) {
                entries.add(new Entry(model.path("id").asText(), model.path("display_name").asText(""), model.path("model_type").asText(""),
                        model.path("size_gb").asDouble(0), model.path("min_ram_gb").asLong(0)));
            }
        }
        return Optional.of(new CatalogueList(entries));
    }
}
