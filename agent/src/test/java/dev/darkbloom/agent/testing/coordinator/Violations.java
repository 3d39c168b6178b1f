package dev.darkbloom.agent.testing.coordinator;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** What agents have done that no coordinator accepts. Any thread. */
final class Violations {
    private final List<String> found = new CopyOnWriteArrayList<>();

    void add(String what) {
        found.add(what);
    }

    List<String> all() {
        return List.copyOf(found);
    }

    /** Go's integers take neither fraction nor decimal point (provider protocol, 0.1, fact 2). */
    void requireInteger(JsonNode object, String name) {
        if (!object.path(name).isIntegralNumber()) {
            add(name + " is no integer: " + object.path(name));
        }
    }

    void requireText(JsonNode object, String name) {
        if (!object.path(name).isTextual()) {
            add(name + " is no text: " + object.path(name));
        }
    }
}
