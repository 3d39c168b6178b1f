package dev.darkbloom.agent.api;

import static dev.darkbloom.agent.api.Texts.segment;
import static dev.darkbloom.agent.api.Texts.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.chat.Endpoint;
import dev.darkbloom.agent.content.Content;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoBufferLeaks.class)
class ApiServerTest {
    private static final RequestRunner ECHO = (endpoint, id, body, sink) -> sink.document(body.segment());

    @Test
    void aDocumentComesBackWhole() {
        try (var server = TestServer.open(ECHO)) {
            String body = "{\"text\":\"grüße\"," + "\"filler\":\"" + "x".repeat(300_000) + "\"}";

            HttpResponse<String> answer = server.post("/v1/chat/completions", body);

            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.headers().firstValue("content-type")).contains("application/json");
            assertThat(answer.body()).isEqualTo(body);
        }
    }

    @Test
    void aStreamIsEventsAndEndsWithDone() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            sink.beginStream();
            sink.ping();
            sink.event(segment("data: {\"n\":1}"));
            sink.event(segment("data: {\"n\":2}"));
            sink.endStream();
        };
        try (var server = TestServer.open(runner)) {
            HttpResponse<String> answer = server.post("/v1/chat/completions", "{}");

            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.headers().firstValue("content-type")).contains("text/event-stream");
            assertThat(answer.headers().firstValue("cache-control")).contains("no-cache");
            assertThat(answer.headers().firstValue("x-accel-buffering")).contains("no");
            assertThat(answer.body()).isEqualTo(": ping\n\ndata: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n");
        }
    }

    @Test
    void aStreamThatFailedLateEndsWithoutDone() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            sink.beginStream();
            sink.event(segment("data: {\"error\":{}}"));
            sink.abortStream();
        };
        try (var server = TestServer.open(runner)) {
            assertThat(server.post("/v1/chat/completions", "{}").body()).isEqualTo("data: {\"error\":{}}\n\n");
        }
    }

    @Test
    void everyAliasReachesItsEndpoint() {
        var asked = new ConcurrentLinkedQueue<Endpoint>();
        RequestRunner runner = (endpoint, id, body, sink) -> {
            asked.add(endpoint);
            sink.document(segment("{}"));
        };
        Map<Endpoint, List<String>> paths = Map.of(
                Endpoint.CHAT_COMPLETIONS, List.of("/v1/chat/completions", "/chat/completions"),
                Endpoint.COMPLETIONS, List.of("/v1/completions", "/completions", "/completion"),
                Endpoint.EMBEDDINGS, List.of("/v1/embeddings", "/embeddings", "/embedding"),
                Endpoint.RERANK, List.of("/v1/rerank", "/rerank", "/reranking", "/v1/reranking"),
                Endpoint.TOKENIZE, List.of("/tokenize"),
                Endpoint.MESSAGES, List.of("/v1/messages", "/messages", "/v1/v1/messages", "/v1/messages?beta=true"),
                Endpoint.COUNT_TOKENS, List.of("/v1/messages/count_tokens", "/messages/count_tokens", "/v1/v1/messages/count_tokens"),
                Endpoint.RESPONSES_INPUT_TOKENS, List.of("/v1/responses/input_tokens", "/responses/input_tokens"),
                Endpoint.DETOKENIZE, List.of("/detokenize"),
                Endpoint.APPLY_TEMPLATE, List.of("/apply-template"));
        try (var server = TestServer.open(runner)) {
            paths.forEach((endpoint, aliases) -> {
                for (String path : aliases) {
                    assertThat(server.post(path, "{}").statusCode()).as(path).isEqualTo(200);
                    assertThat(asked.poll()).as(path).isEqualTo(endpoint);
                }
            });
        }
    }

    @Test
    void theRequestRunsOnAVirtualThreadOfItsOwnName() {
        var names = new ConcurrentLinkedQueue<String>();
        RequestRunner runner = (endpoint, id, body, sink) -> {
            names.add(Thread.currentThread().isVirtual() + " " + Thread.currentThread().getName() + " " + id + " " + text(body));
            sink.document(segment("{}"));
        };
        try (var server = TestServer.open(runner)) {
            HttpResponse<String> answer = server.post("/v1/chat/completions", "{\"a\":1}");

            String id = answer.headers().firstValue("x-request-id").orElseThrow();
            assertThat(names).containsExactly("true request-" + id + " " + id + " {\"a\":1}");
        }
    }

    @Test
    void anErrorBeforeTheFirstByteIsAnEnvelope() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            throw AgentException.ofParam(ErrorCode.UNKNOWN_MODEL, "model", "model 'x' is not available on this node");
        };
        try (var server = TestServer.open(runner)) {
            HttpResponse<String> answer = server.post("/v1/chat/completions", "{}");

            assertThat(answer.statusCode()).isEqualTo(404);
            assertThat(answer.body())
                    .isEqualTo("{\"error\":{\"message\":\"model 'x' is not available on this node\",\"type\":\"invalid_request_error\","
                            + "\"code\":\"model_not_found\",\"param\":\"model\"}}");
        }
    }

    @Test
    void aFullQueueSaysWhenToComeBack() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            throw new AgentException(ErrorCode.QUEUE_FULL, "64 requests wait already");
        };
        try (var server = TestServer.open(runner)) {
            HttpResponse<String> answer = server.post("/v1/chat/completions", "{}");

            assertThat(answer.statusCode()).isEqualTo(503);
            assertThat(answer.headers().firstValue("retry-after")).contains("1");
            assertThat(answer.body()).contains("\"type\":\"server_error\"").contains("\"code\":\"capacity\"");
        }
    }

    @Test
    void anUnforeseenFailureIsNeutral() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            throw new IllegalStateException("quotes " + text(body));
        };
        try (var server = TestServer.open(runner)) {
            HttpResponse<String> answer = server.post("/v1/chat/completions", "{\"secret\":1}");

            assertThat(answer.statusCode()).isEqualTo(500);
            assertThat(answer.body()).contains("\"code\":\"internal_failure\"").doesNotContain("secret").doesNotContain("quotes");
        }
    }

    @Test
    void anUnforeseenFailureIsLoggedWithoutItsMessage() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            throw new IllegalStateException("quotes " + text(body), new RuntimeException("deeper " + text(body)));
        };
        try (var logs = CapturedLogs.of("dev.darkbloom"); var server = TestServer.open(runner)) {
            server.post("/v1/chat/completions", "{\"secret\":1}");

            assertThat(logs.text())
                    .contains("request failed")
                    .contains("route=/v1/chat/completions")
                    .contains("java.lang.IllegalStateException")
                    .contains("java.lang.RuntimeException")
                    .doesNotContain("secret")
                    .doesNotContain("quotes");
        }
    }

    @Test
    void anUnforeseenFailureInTheMiddleOfAStreamIsANeutralEvent() {
        RequestRunner runner = (endpoint, id, body, sink) -> {
            sink.beginStream();
            sink.event(segment("data: 1"));
            throw new IllegalStateException("quotes " + text(body));
        };
        try (var server = TestServer.open(runner)) {
            assertThat(server.post("/v1/chat/completions", "{\"secret\":1}").body())
                    .startsWith("data: 1\n\ndata: {\"error\":{")
                    .endsWith("\"code\":\"internal_failure\",\"param\":null}}\n\n")
                    .doesNotContain("secret");
        }
    }

    @Test
    void theBodyIsFreedWhenTheRequestEnds() {
        var kept = new ConcurrentLinkedQueue<Content>();
        RequestRunner runner = (endpoint, id, body, sink) -> {
            kept.add(body);
            sink.document(segment("{}"));
        };
        try (var server = TestServer.open(runner)) {
            server.post("/v1/chat/completions", "{}");
            await().untilAsserted(() -> assertThatThrownBy(() -> text(kept.element())).isInstanceOf(IllegalStateException.class));
        }
    }

    @Test
    void anEndpointOnIpv6LoopbackAnswers() {
        assumeTrue(hasIpv6(), "this machine has no IPv6 loopback");
        var settings = ApiSettings.of("::1", 0, Optional.empty());
        try (var server = TestServer.open(settings, ECHO, PropsSource.NONE)) {
            assertThat(server.send(HttpRequest.newBuilder(URI.create("http://[::1]:" + server.server.port() + "/health"))).body())
                    .isEqualTo("{\"status\":\"ok\"}");
        }
    }

    private static boolean hasIpv6() {
        try (var socket = new ServerSocket(0, 1, InetAddress.getByName("::1"))) {
            return socket.isBound();
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void aRunnerThatAnswersNothingIsAnInternalFailure() {
        try (var server = TestServer.open((endpoint, id, body, sink) -> { })) {
            assertThat(server.post("/v1/chat/completions", "{}").statusCode()).isEqualTo(500);
        }
    }

    @Test
    void modelsAreListedAndFoundByIdsWithSlashesAndDots() {
        try (var server = TestServer.open(ECHO)) {
            String list = server.get("/v1/models").body();
            assertThat(list).startsWith("{\"object\":\"list\",\"data\":[{\"id\":\"demo\",\"object\":\"model\",");
            assertThat(list).contains("\"owned_by\":\"local\",\"context_length\":2048,\"loaded\":true").contains("\"loaded\":false");
            assertThat(server.get("/models").body()).isEqualTo(list);

            assertThat(server.get("/v1/models/org/some.model-7B").body()).contains("\"id\":\"org/some.model-7B\"");
            assertThat(server.get("/v1/models/org%2Fsome.model-7B").body()).contains("\"id\":\"org/some.model-7B\"");

            HttpResponse<String> unknown = server.get("/v1/models/other");
            assertThat(unknown.statusCode()).isEqualTo(404);
            assertThat(unknown.body()).contains("\"code\":\"model_not_found\"").contains("\"param\":\"model\"");
        }
    }

    @Test
    void healthIsOpenAndTheRestNeedsTheKey() {
        try (var server = TestServer.open(ECHO)) {
            for (String path : List.of("/health", "/v1/health", "/")) {
                assertThat(server.send(server.anonymous(path)).statusCode()).as(path).isEqualTo(200);
            }
            assertThat(server.send(server.anonymous("/health")).body()).isEqualTo("{\"status\":\"ok\"}");

            for (String path : List.of("/v1/models", "/metrics", "/props", "/nowhere")) {
                HttpResponse<String> answer = server.send(server.anonymous(path));
                assertThat(answer.statusCode()).as(path).isEqualTo(401);
                assertThat(answer.headers().firstValue("access-control-allow-origin")).contains("*");
                assertThat(answer.body())
                        .isEqualTo("{\"error\":{\"message\":\"missing or invalid API key\",\"type\":\"authentication_error\","
                                + "\"code\":\"invalid_api_key\",\"param\":null}}");
            }
        }
    }

    @Test
    void bothWaysToShowTheKeyAreTaken() {
        try (var server = TestServer.open(ECHO)) {
            for (String value : List.of("Bearer " + TestServer.KEY, "bearer " + TestServer.KEY, "BEARER   " + TestServer.KEY)) {
                assertThat(models(server, "Authorization", value)).as(value).isEqualTo(200);
            }
            assertThat(models(server, "x-api-key", TestServer.KEY)).isEqualTo(200);

            String key = TestServer.KEY;
            for (String value : List.of(key, "Basic " + key, "Bearer", "Bearer" + key, "Bearer " + key + "x", "Bearer x")) {
                assertThat(models(server, "Authorization", value)).as(value).isEqualTo(401);
            }
            assertThat(models(server, "x-api-key", "")).isEqualTo(401);
        }
    }

    private static int models(TestServer server, String header, String value) {
        return server.send(server.anonymous("/v1/models").header(header, value)).statusCode();
    }

    @Test
    void withoutAKeyEverybodyMayAsk() {
        var settings = ApiSettings.of("127.0.0.1", 0, Optional.empty());
        try (var server = TestServer.open(settings, ECHO, PropsSource.NONE)) {
            assertThat(server.send(server.anonymous("/v1/models")).statusCode()).isEqualTo(200);
        }
    }

    @Test
    void unknownPathsAndWrongMethodsAreToldApart() {
        try (var server = TestServer.open(ECHO)) {
            HttpResponse<String> unknown = server.get("/v1/nowhere");
            assertThat(unknown.statusCode()).isEqualTo(404);
            assertThat(unknown.body()).contains("\"code\":\"not_found\"");

            HttpResponse<String> wrong = server.get("/v1/chat/completions");
            assertThat(wrong.statusCode()).isEqualTo(405);
            assertThat(wrong.headers().firstValue("allow")).contains("POST, OPTIONS");
            assertThat(wrong.body()).contains("\"code\":\"method_not_allowed\"");

            HttpResponse<String> delete = server.send(server.request("/v1/models").method("DELETE", HttpRequest.BodyPublishers.noBody()));
            assertThat(delete.statusCode()).isEqualTo(405);
            assertThat(delete.headers().firstValue("allow")).contains("GET, HEAD, OPTIONS");
        }
    }

    @Test
    void headIsAnsweredLikeGetWithoutTheBody() {
        try (var server = TestServer.open(ECHO)) {
            HttpResponse<String> get = server.get("/v1/models");
            HttpResponse<String> head = server.send(server.request("/v1/models").method("HEAD", HttpRequest.BodyPublishers.noBody()));

            assertThat(head.statusCode()).isEqualTo(200);
            assertThat(head.body()).isEmpty();
            assertThat(head.headers().firstValue("content-length")).isEqualTo(get.headers().firstValue("content-length"));
            assertThat(server.get("/health").statusCode()).as("the connection is still in order").isEqualTo(200);
        }
    }
}
