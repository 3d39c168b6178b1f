package dev.darkbloom.agent.service.local;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;

/** Asks the endpoint. Several threads may ask at once; {@link #cancel} ends the answer of the one that chats. */
public final class LocalClient implements AutoCloseable {
    private static final String DATA = "data: ";
    private static final String DONE = "[DONE]";
    private static final int OK = 200;

    private final LocalEndpoint endpoint;
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();
    /** The answer that is being read by {@link #chat}; closed by {@link #cancel}. */
    private volatile Optional<InputStream> chatting = Optional.empty();
    private volatile boolean cancelled;

    /** Hears an answer while it is written. */
    public interface Listener {
        void text(String text);

        /** What the model thinks before it answers. */
        default void thinking(String text) {}
    }

    public LocalClient(LocalEndpoint endpoint) {
        this.endpoint = endpoint;
    }

    /** Returns the models that can be asked. */
    public List<String> models() {
        return LocalCodec.modelIds(text(request("/models").GET().build()));
    }

    /**
     * Answers the last message of a conversation, in blocking style.
     *
     * @throws AgentException what the endpoint says, {@code NOT_RUNNING} when it is gone
     */
    public AnswerStats chat(String model, List<ChatMessage> messages, OptionalInt maxTokens, Listener listener) {
        cancelled = false;
        return stream("/chat/completions", LocalCodec.chatRequest(model, messages, maxTokens), listener, body -> chatting = Optional.of(body));
    }

    /** Ends the answer that {@link #chat} reads, if there is one. */
    public void cancel() {
        cancelled = true;
        chatting.ifPresent(LocalClient::closeQuietly);
    }

    /** Has exactly {@code tokens} tokens written after {@code prompt}; returns how that went. */
    AnswerStats measured(String model, String prompt, int tokens) {
        return stream("/completions", LocalCodec.measuredRequest(model, prompt, tokens), _ -> { }, _ -> { });
    }

    /** Returns how many tokens a text has. */
    int tokens(String model, String text) {
        URI uri = URI.create(endpoint.baseUrl()).resolve("/tokenize");
        return LocalCodec.tokenCount(text(request(uri).POST(HttpRequest.BodyPublishers.ofString(LocalCodec.tokenizeRequest(model, text))).build()));
    }

    private AnswerStats stream(String path, String body, Listener listener, Consumer<InputStream> opened) {
        long sent = System.nanoTime();
        var reading = new Reading(sent);
        HttpResponse<InputStream> response = send(request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build(),
                HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream in = response.body(); var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            if (response.statusCode() != OK) {
                throw LocalCodec.refusal(response.statusCode(), new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
            opened.accept(in);
            for (String line = lines.readLine(); line != null && !line.equals(DATA + DONE); line = lines.readLine()) {
                if (line.startsWith(DATA)) {
                    reading.take(LocalCodec.event(line.substring(DATA.length())), listener);
                }
            }
        } catch (IOException e) {
            if (!cancelled) {
                throw gone(e);
            }
            reading.finishReason = "cancelled";
        } finally {
            chatting = Optional.empty();
        }
        return reading.stats();
    }

    /** What has been heard of one answer so far. */
    private static final class Reading {
        private final long sentNanos;
        private long firstNanos;
        private String finishReason = "";
        private LocalCodec.Usage usage = new LocalCodec.Usage(0, 0, 0);
        private LocalCodec.Timings timings = new LocalCodec.Timings(0, 0);

        Reading(long sentNanos) {
            this.sentNanos = sentNanos;
        }

        void take(LocalCodec.Event event, Listener listener) {
            boolean says = !event.text().isEmpty() || !event.thinking().isEmpty();
            if (says && firstNanos == 0) {
                firstNanos = System.nanoTime();
            }
            if (!event.thinking().isEmpty()) {
                listener.thinking(event.thinking());
            }
            if (!event.text().isEmpty()) {
                listener.text(event.text());
            }
            finishReason = event.finishReason().orElse(finishReason);
            usage = event.usage().orElse(usage);
            timings = event.timings().orElse(timings);
        }

        AnswerStats stats() {
            long end = System.nanoTime();
            return new AnswerStats(finishReason, usage.promptTokens(), usage.cachedTokens(), usage.generatedTokens(),
                    timings.prefillTokensPerSecond(), timings.decodeTokensPerSecond(),
                    Duration.ofNanos((firstNanos == 0 ? end : firstNanos) - sentNanos), Duration.ofNanos(end - sentNanos));
        }
    }

    private HttpRequest.Builder request(String path) {
        return request(URI.create(endpoint.baseUrl() + path));
    }

    private HttpRequest.Builder request(URI uri) {
        var request = HttpRequest.newBuilder(uri).header("Content-Type", "application/json");
        return endpoint.requiresKey() ? request.header("Authorization", "Bearer " + endpoint.key().reveal()) : request;
    }

    private String text(HttpRequest request) {
        HttpResponse<String> response = send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != OK) {
            throw LocalCodec.refusal(response.statusCode(), response.body());
        }
        return response.body();
    }

    private <T> HttpResponse<T> send(HttpRequest request, HttpResponse.BodyHandler<T> handler) {
        try {
            return http.send(request, handler);
        } catch (IOException e) {
            throw gone(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AgentException(ErrorCode.CANCELLED, "interrupted while waiting for the endpoint", e);
        }
    }

    private AgentException gone(IOException e) {
        return new AgentException(ErrorCode.NOT_RUNNING, "the endpoint " + endpoint.baseUrl() + " does not answer any more", e);
    }

    private static void closeQuietly(InputStream body) {
        try {
            body.close();
        } catch (IOException _) {
            // The reader sees that the stream is closed; more is not wanted.
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
