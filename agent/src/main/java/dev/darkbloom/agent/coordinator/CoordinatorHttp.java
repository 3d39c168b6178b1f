package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A coordinator's HTTP API, for the few small calls that a node and its owner make: account, catalogue, public list.
 *
 * <p>Any thread; every call blocks for at most {@link #LIMIT}. It goes through the HTTP proxy that the environment names; a SOCKS proxy is not
 * used here, since the JDK's client knows none.
 */
public final class CoordinatorHttp implements AutoCloseable {
    /** Longest time for one call, its answer included. */
    public static final Duration LIMIT = Duration.ofSeconds(15);
    /** Largest answer taken. */
    static final int MOST_BYTES = 8 << 20;

    private final CoordinatorAddress address;
    private final HttpClient client;

    /** An answer. Its headers' names are in small letters. */
    public record Answer(int status, Map<String, String> headers, String body) {
        public boolean isOk() {
            return status >= 200 && status < 300;
        }

        /** Returns the first value of a header, whose name is in small letters. */
        public Optional<String> header(String name) {
            return Optional.ofNullable(headers.get(name));
        }
    }

    /** Opens nothing yet. {@code environment} names a proxy, if there is one. */
    public CoordinatorHttp(CoordinatorAddress address, Map<String, String> environment) {
        this.address = address;
        var builder = HttpClient.newBuilder().connectTimeout(LIMIT).version(HttpClient.Version.HTTP_1_1);
        ProxyChoice.of(environment, address).filter(proxy -> proxy.kind() == ProxyChoice.Kind.HTTP)
                .ifPresent(proxy -> builder.proxy(ProxySelector.of(new InetSocketAddress(proxy.host(), proxy.port()))));
        client = builder.build();
    }

    /** Returns the coordinator's. */
    public CoordinatorAddress address() {
        return address;
    }

    /**
     * Asks for a page.
     *
     * @param path begins with a slash
     * @throws AgentException {@code COORDINATOR_UNREACHABLE} when no answer comes
     */
    public Answer get(String path) throws InterruptedException {
        return send(request(path).GET().build());
    }

    /** Posts a JSON text; as {@link #get}. */
    public Answer post(String path, String json) throws InterruptedException {
        return send(request(path).header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(json)).build());
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(address.http(path)).timeout(LIMIT);
    }

    private Answer send(HttpRequest request) throws InterruptedException {
        try {
            var response = client.send(request, BodyHandlers.ofInputStream());
            var headers = new TreeMap<String, String>();
            response.headers().map().forEach((name, values) -> headers.putIfAbsent(name.toLowerCase(Locale.ROOT), values.getFirst()));
            try (InputStream body = response.body()) {
                byte[] bytes = body.readNBytes(MOST_BYTES + 1);
                if (bytes.length > MOST_BYTES) {
                    throw new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "the coordinator's answer is longer than " + MOST_BYTES + " bytes");
                }
                return new Answer(response.statusCode(), headers, new String(bytes, StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /**
     * Sends a request whose answer comes line by line, as server-sent events do.
     *
     * @param authorization the whole header's secret part, after {@code Bearer}
     * @return status, headers and lines; the caller closes the lines
     */
    public LineAnswer stream(String path, String json, Redacted authorization, Map<String, String> headers, Duration limit)
            throws InterruptedException {
        var builder = HttpRequest.newBuilder(address.http(path)).timeout(limit)
                .header("Content-Type", "application/json")
                .header("Authorization", "Bearer " + authorization.reveal())
                .POST(HttpRequest.BodyPublishers.ofString(json));
        headers.forEach(builder::header);
        try {
            var response = client.send(builder.build(), BodyHandlers.ofLines());
            var found = new TreeMap<String, String>();
            response.headers().map().forEach((name, values) -> found.putIfAbsent(name.toLowerCase(Locale.ROOT), values.getFirst()));
            return new LineAnswer(response.statusCode(), found, response.body());
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /**
     * Begins to read a file, wherever it is; nothing that says who we are goes with it.
     *
     * @param offset byte to begin at
     * @return the answer whatever its status; the caller closes its body
     * @throws IOException when none comes within {@link #LIMIT}
     */
    FileAnswer file(URI uri, long offset) throws IOException, InterruptedException {
        var builder = HttpRequest.newBuilder(uri).timeout(LIMIT).header("Accept-Encoding", "identity").GET();
        if (offset > 0) {
            builder.header("Range", "bytes=" + offset + "-");
        }
        var response = client.send(builder.build(), BodyHandlers.ofInputStream());
        return new FileAnswer(response.statusCode(), response.headers().firstValue("location"), response.headers().firstValue("content-range"),
                response.body());
    }

    /** The beginning of a file. */
    record FileAnswer(int status, Optional<String> location, Optional<String> contentRange, InputStream body) {}

    /** An answer that is read line by line. */
    public record LineAnswer(int status, Map<String, String> headers, Stream<String> lines) implements AutoCloseable {
        @Override
        public void close() {
            lines.close();
        }
    }

    private AgentException unreachable(IOException cause) {
        String why = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
        return new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "no answer from " + address.http("") + ": " + why, cause);
    }

    @Override
    public void close() {
        client.shutdownNow();
        client.close();
    }
}
