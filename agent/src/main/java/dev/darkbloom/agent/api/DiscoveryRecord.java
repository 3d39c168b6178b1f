package dev.darkbloom.agent.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.Redacted;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * Says to other programs of the owner's where the local endpoint is ({@code local.json}; {@code spec/direct-mode-api.md}, A3).
 *
 * <p>Written only when the socket is bound, removed on a graceful stop. A crash leaves it behind, so a reader believes it only while its
 * process lives.
 *
 * @param baseUrl what an OpenAI client takes as its base URL, {@code /v1} included
 * @param apiKey empty with {@code --no-auth}
 * @param host the address that was bound
 * @param pid the process that listens
 * @param version the agent's
 * @param updatedAt when it was written
 */
public record DiscoveryRecord(String baseUrl, Redacted apiKey, String host, int port, long pid, String version, Instant updatedAt) {
    private static final JsonMapper JSON = new JsonMapper();

    /** The record as it stands in the file. */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Wire(
            @JsonProperty(required = true) String baseUrl,
            @JsonProperty(required = true) String apiKey,
            String host,
            int port,
            @JsonProperty(required = true) long pid,
            String version,
            @JsonProperty(required = true) String updatedAt) {}

    /**
     * Returns the record of an endpoint of this process.
     *
     * @param settings what the endpoint was opened with
     * @param port the port that was bound
     */
    public static DiscoveryRecord of(ApiSettings settings, int port, String version) {
        return new DiscoveryRecord(
                baseUrl(settings.bind(), port),
                settings.token().orElseGet(() -> new Redacted("")),
                settings.bind(),
                port,
                ProcessHandle.current().pid(),
                version,
                Instant.now().truncatedTo(ChronoUnit.SECONDS));
    }

    /** Returns the base URL of an endpoint: of every interface, loopback's; an IPv6 address in brackets. */
    static String baseUrl(String bind, int port) {
        String host = bind;
        if (bind.contains(":")) {
            host = "[" + (isAny(bind) ? "::1" : bind) + "]";
        } else if (isAny(bind)) {
            host = "127.0.0.1";
        }
        return "http://" + host + ":" + port + "/v1";
    }

    private static boolean isAny(String bind) {
        try {
            return InetAddress.getByName(bind).isAnyLocalAddress();
        } catch (UnknownHostException _) {
            return false;
        }
    }

    /** Writes the record for the owner only, whole or not at all. */
    public void write(Path file) throws IOException {
        AtomicFile.write(file, toJson() + "\n");
    }

    /** Returns the record as JSON, key included. */
    public String toJson() throws IOException {
        return JSON.writerWithDefaultPrettyPrinter()
                .writeValueAsString(new Wire(baseUrl, apiKey.reveal(), host, port, pid, version, updatedAt.toString()));
    }

    /** Removes the record if it is this process's. */
    public static void remove(Path file) throws IOException {
        Optional<DiscoveryRecord> found = parse(file);
        if (found.isPresent() && found.get().pid == ProcessHandle.current().pid()) {
            Files.deleteIfExists(file);
        }
    }

    /** Returns the record of an endpoint whose process lives; empty where there is none, or one that a crash left behind. */
    public static Optional<DiscoveryRecord> read(Path file) throws IOException {
        return parse(file).filter(DiscoveryRecord::isAlive);
    }

    private static Optional<DiscoveryRecord> parse(Path file) throws IOException {
        try {
            Wire wire = JSON.readValue(Files.readAllBytes(file), Wire.class);
            return Optional.of(new DiscoveryRecord(
                    wire.baseUrl, new Redacted(wire.apiKey), wire.host, wire.port, wire.pid, wire.version, Instant.parse(wire.updatedAt)));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        } catch (JacksonException | DateTimeParseException _) {
            return Optional.empty();
        }
    }

    /** A pid is given to another process one day; that one has started after the record was written. */
    private boolean isAlive() {
        Optional<ProcessHandle> process = ProcessHandle.of(pid).filter(ProcessHandle::isAlive);
        if (process.isEmpty()) {
            return false;
        }
        return process.get().info().startInstant().map(start -> !start.isAfter(updatedAt.plusSeconds(1))).orElse(true);
    }
}
