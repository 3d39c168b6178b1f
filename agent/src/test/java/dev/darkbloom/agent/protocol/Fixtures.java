package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.testing.OffHeap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** One JSON file for every message, and one more where a message has grown: they are the wire's documentation as well. */
final class Fixtures {
    static final ObjectMapper JSON = new ObjectMapper();

    private Fixtures() {}

    /** A frame with the name of its file. */
    record Fixture(String name, String text) {
        MemorySegment frame() {
            return OffHeap.utf8(text);
        }

        JsonNode tree() {
            return Fixtures.tree(text);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static List<Fixture> agent() {
        return of("agent");
    }

    static List<Fixture> coordinator() {
        return of("coordinator");
    }

    static Fixture agent(String name) {
        return agent().stream().filter(fixture -> fixture.name().equals(name)).findFirst().orElseThrow();
    }

    static Fixture coordinator(String name) {
        return coordinator().stream().filter(fixture -> fixture.name().equals(name)).findFirst().orElseThrow();
    }

    static JsonNode tree(String json) {
        try {
            return JSON.readTree(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Fixture> of(String direction) {
        try (var files = Files.list(Path.of(Fixtures.class.getResource("/protocol/" + direction).toURI()))) {
            return files.sorted().map(Fixtures::read).toList();
        } catch (IOException | URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Fixture read(Path file) {
        try {
            return new Fixture(file.getFileName().toString().replace(".json", ""), Files.readString(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
