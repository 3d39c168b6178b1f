package dev.darkbloom.agent.testing.coordinator;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A coordinator's HTTP API on loopback that answers what a test has put there, in order; 404 when there is nothing left. */
public final class HttpPeer implements AutoCloseable {
    private final HttpServer server;
    private final Map<String, Queue<Scripted>> answers = new ConcurrentHashMap<>();
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final AtomicInteger wholeAnswers = new AtomicInteger();

    private final Map<String, String> headers = new ConcurrentHashMap<>();

    private record Scripted(int status, String body, String header, String value) {}

    private HttpPeer() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.createContext("/", this::handle);
        server.start();
    }

    /** Opens a server on a free port. */
    public static HttpPeer open() {
        return new HttpPeer();
    }

    public int port() {
        return server.getAddress().getPort();
    }

    /** Puts one more answer behind those that {@code path} has. */
    public void answer(String path, int status, String body) {
        answer(path, status, body, "X-Test", "1");
    }

    /** As the other, with a header. */
    public void answer(String path, int status, String body, String header, String value) {
        answers.computeIfAbsent(path, _ -> new ArrayDeque<>()).add(new Scripted(status, body, header, value));
    }

    /** Returns a header of the last request. */
    public String header(String name) {
        return headers.getOrDefault(name.toLowerCase(Locale.ROOT), "");
    }

    /** Returns how many answers were taken by their clients up to the end. */
    public int wholeAnswers() {
        return wholeAnswers.get();
    }

    /** Returns what was asked: method, path and body. */
    public List<String> requests() {
        return List.copyOf(requests);
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            requests.add(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + body);
            exchange.getRequestHeaders().forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values.getFirst()));
            Queue<Scripted> queue = answers.get(exchange.getRequestURI().getPath());
            Scripted next = queue == null || queue.isEmpty() ? new Scripted(404, "{}", "X-Test", "1") : queue.remove();
            byte[] bytes = next.body().getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().add(next.header(), next.value());
            exchange.sendResponseHeaders(next.status(), bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes); // throws when the client has left
            wholeAnswers.incrementAndGet();
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
