package dev.darkbloom.agent.testing;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** An OpenAI endpoint that answers what a test has laid out, and remembers what it was asked. */
public final class FakeEndpoint implements AutoCloseable {
    private final HttpServer server;
    private final Deque<Reply> replies = new ArrayDeque<>();
    private final List<String> bodies = new CopyOnWriteArrayList<>();
    private final List<String> keys = new CopyOnWriteArrayList<>();
    private final CountDownLatch held = new CountDownLatch(1);

    private record Reply(int status, List<String> lines, boolean staysOpen) {}

    public FakeEndpoint() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/v1/models", exchange -> answer(exchange, new Reply(200, List.of("{\"data\":[{\"id\":\"demo\"},{\"id\":\"other\"}]}"), false)));
        server.createContext("/v1/chat/completions", exchange -> answer(exchange, replies.isEmpty() ? new Reply(500, List.of(), false) : replies.pop()));
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
    }

    public String baseUrl() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/v1";
    }

    /** Has the next chat request answered with these events, or comments that begin with a colon, then {@code [DONE]}. */
    public FakeEndpoint streams(String... events) {
        var lines = new ArrayList<String>();
        for (String event : events) {
            lines.add((event.startsWith(":") ? event : "data: " + event) + "\n\n");
        }
        lines.add("data: [DONE]\n\n");
        replies.add(new Reply(200, lines, false));
        return this;
    }

    /** Has the next chat request answered with one piece of text, and then with nothing for ever. */
    public FakeEndpoint stallsAfter(String text) {
        replies.add(new Reply(200, List.of("data: " + piece(text) + "\n\n"), true));
        return this;
    }

    /** Has the next chat request refused. */
    public FakeEndpoint refuses(int status, String body) {
        replies.add(new Reply(status, List.of(body), false));
        return this;
    }

    /** Returns the event that adds {@code text} to an answer. */
    public static String piece(String text) {
        return "{\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}";
    }

    /** Returns the event that ends an answer, with usage and timings. */
    public static String end(String reason) {
        return "{\"choices\":[{\"delta\":{},\"finish_reason\":\"" + reason + "\"}],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":7,"
                + "\"prompt_tokens_details\":{\"cached_tokens\":12}},\"timings\":{\"prompt_per_second\":800.5,\"predicted_per_second\":45.5}}";
    }

    /** Returns the bodies of the requests so far. */
    public List<String> bodies() {
        return List.copyOf(bodies);
    }

    /** Returns the {@code Authorization} headers of the requests so far. */
    public List<String> keys() {
        return List.copyOf(keys);
    }

    private void answer(HttpExchange exchange, Reply reply) throws IOException {
        keys.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
        bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
        exchange.sendResponseHeaders(reply.status(), 0);
        try (OutputStream out = exchange.getResponseBody()) {
            for (String line : reply.lines()) {
                out.write(line.getBytes(StandardCharsets.UTF_8));
                out.flush();
            }
            if (reply.staysOpen()) {
                held.await(1, TimeUnit.MINUTES);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        held.countDown();
        server.stop(0);
    }
}
