package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.testing.TestModels;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a real model: 200 requests of every kind, six at a time, some of them left in the middle and some of them wrong; then nothing is busy. */
@Tag("realmodel")
class RandomRequestsTest {
    private static final int REQUESTS = 200;
    private static final long SEED = 20261124;
    private static final String[] WORDS = {"river", "clock", "night", "bread", "light", "violin", "winter", "train", "garden", "sea"};

    @TempDir
    Path folder;

    private enum Kind { WHOLE, STREAMED, LEFT, REFUSED }

    @Test
    void leaveEverySlotFree() throws Exception {
        Path model = TestModels.smollm2();
        try (var agent = AgentProcess.start(folder, "--model", model.toString(), "--parallel", "4", "--ctx-size", "512", "--threads", "1");
                var clients = Executors.newFixedThreadPool(6)) {
            String id = model.getFileName().toString().replace(".gguf", "");
            var random = new Random(SEED);
            var kinds = new ArrayList<Kind>();
            var answers = new ArrayList<Future<Integer>>();
            for (int i = 0; i < REQUESTS; i++) {
                Kind kind = Kind.values()[Math.min(3, random.nextInt(6) / 2 + (random.nextInt(8) == 0 ? 1 : 0))];
                String body = body(id, kind, random);
                kinds.add(kind);
                Callable<Integer> call = () -> send(agent, kind, body);
                answers.add(clients.submit(call));
            }
            int answered = 0; // by a slot: to the end, or until the client left
            for (int i = 0; i < REQUESTS; i++) {
                int status = answers.get(i).get();
                switch (kinds.get(i)) {
                    case WHOLE, STREAMED -> {
                        assertThat(status).as("request %d, %s", i, kinds.get(i)).isEqualTo(200);
                        answered++;
                    }
                    case LEFT -> {
                        assertThat(status).as("request %d", i).isZero();
                        answered++;
                    }
                    case REFUSED -> assertThat(status).as("request %d", i).isEqualTo(400);
                }
            }

            // A slot is free before the exchange that used it has been closed by its own thread, so each is waited for.
            Awaitility.await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
                assertThat(agent.metric("darkbloom_slots_busy")).isZero();
                assertThat(agent.metric("darkbloom_requests_waiting")).isZero();
                assertThat(agent.metric("darkbloom_http_requests_in_flight")).isEqualTo(1); // the one that asks
            });
            assertThat(agent.metric("darkbloom_requests_failed_total")).isZero();
            // To the engine an answer that a stop string ends is cancelled by its reader, and one that was left late may be finished already.
            assertThat(agent.metric("darkbloom_requests_finished_total") + agent.metric("darkbloom_requests_cancelled_total")).isEqualTo(answered);
        }
    }

    private static String body(String id, Kind kind, Random random) {
        ObjectNode request = AgentProcess.JSON.createObjectNode();
        request.put("model", id).put("max_tokens", 1 + random.nextInt(8)).put("temperature", random.nextInt(3) * 0.5).put("seed", random.nextInt());
        if (random.nextInt(4) == 0) {
            request.put("logprobs", true).put("top_logprobs", random.nextInt(5));
        }
        if (random.nextInt(6) == 0) {
            request.put("grammar", "root ::= [a-z ]+");
        }
        if (random.nextInt(4) == 0) {
            request.putArray("stop").add(WORDS[random.nextInt(WORDS.length)]);
        }
        var text = new StringBuilder("Write about");
        for (int i = 1 + random.nextInt(12); i > 0; i--) {
            text.append(' ').append(WORDS[random.nextInt(WORDS.length)]);
        }
        request.putArray("messages").addObject().put("role", "user").put("content", text.toString());
        switch (kind) {
            case WHOLE -> { }
            case STREAMED -> request.put("stream", true);
            case LEFT -> request.put("stream", true).put("max_tokens", 300).put("ignore_eos", true);
            case REFUSED -> request.put("top_p", 1 + random.nextInt(5) + 0.5);
        }
        return request.toString();
    }

    /** Sends one request; returns its status, or 0 for one that was left in the middle. */
    private static int send(AgentProcess agent, Kind kind, String body) throws IOException, InterruptedException {
        return switch (kind) {
            case WHOLE, REFUSED -> {
                HttpResponse<String> response = agent.post("chat/completions", body);
                yield response.statusCode();
            }
            case STREAMED -> {
                List<String> events = agent.stream("chat/completions", body);
                assertThat(events.getLast()).isEqualTo("[DONE]");
                yield 200;
            }
            case LEFT -> {
                leave(agent, body);
                yield 0;
            }
        };
    }

    private static void leave(AgentProcess agent, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), agent.port())) {
            socket.getOutputStream().write(("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:" + agent.port() + "\r\nAuthorization: Bearer "
                    + agent.key() + "\r\nContent-Length: " + bytes.length + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().write(bytes);
            assertThat(socket.getInputStream().read()).isNotNegative();
        }
    }
}
