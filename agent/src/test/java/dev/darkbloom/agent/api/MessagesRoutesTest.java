package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.OffHeap;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the routes of Anthropic's API have of their own: the errors' envelope, the header with the request's id, the end of a stream. */
class MessagesRoutesTest {
    private static final RequestRunner OK = (_, _, _, sink) -> sink.document(OffHeap.utf8("{}"));

    private static void assertError(HttpResponse<String> answer, int status, String type) {
        assertThat(answer.statusCode()).isEqualTo(status);
        assertError(answer.body(), answer.headers().firstValue("request-id").orElse("none"), type);
    }

    private static void assertError(String body, String requestId, String type) {
        try {
            JsonNode json = new ObjectMapper().readTree(body);
            assertThat(json.path("type").textValue()).as(body).isEqualTo("error");
            assertThat(json.path("error").path("type").textValue()).isEqualTo(type);
            assertThat(json.path("error").path("message").textValue()).isNotBlank();
            assertThat(json.path("request_id").textValue()).isEqualTo(requestId);
        } catch (IOException e) {
            throw new AssertionError(body, e);
        }
    }

    /** Asks with a target that HTTP clients do not send. */
    private static void assertRefused(TestServer server, String target, int status, String type) {
        try (RawConnection connection = server.connect()) {
            RawConnection.Answer answer = connection.send(RawConnection.request("GET", target)).read();
            assertThat(answer.status()).as(target).isEqualTo(status);
            assertError(answer.body(), answer.headers().get("request-id"), type);
        }
    }

    @ParameterizedTest
    @CsvSource({"INVALID_REQUEST,400,invalid_request_error", "UNSUPPORTED_MEDIA,400,invalid_request_error", "UNKNOWN_MODEL,404,not_found_error",
        "QUEUE_FULL,503,overloaded_error", "MODEL_UNAVAILABLE,503,overloaded_error", "GENERATION_FAILED,500,api_error"})
    void errorsHaveTheApisEnvelope(ErrorCode code, int status, String type) {
        RequestRunner runner = (_, _, _, _) -> {
            throw new AgentException(code, "something is wrong");
        };
        try (var server = TestServer.open(runner)) {
            for (String path : List.of("/v1/messages", "/v1/v1/messages", "/messages/count_tokens")) {
                assertError(server.post(path, "{}"), status, type);
            }
            assertThat(server.post("/v1/chat/completions", "{}").body()).startsWith("{\"error\":{");
        }
    }

    @Test
    void aThreadIsRefusedInAWayThatTheToolRunnerUnderstands() {
        RequestRunner runner = (_, _, _, _) -> {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "thread", "thread is not supported");
        };
        try (var server = TestServer.open(runner)) {
            HttpResponse<String> answer = server.post("/v1/messages", "{}");

            assertError(answer, 400, "invalid_request_error");
            assertThat(answer.body()).contains("\"error_code\":\"thread_unsupported_request\"").contains("\"unsupported\":[\"thread\"]");
        }
    }

    @Test
    void refusalsBeforeTheRequestRunsHaveItToo() {
        try (var server = TestServer.open(OK)) {
            var none = HttpRequest.BodyPublishers.ofString("{}");
            assertError(server.send(server.anonymous("/v1/messages").POST(none)), 401, "authentication_error");
            assertError(server.send(server.anonymous("/v1/messages").header("x-api-key", "wrong").POST(none)), 401, "authentication_error");
            assertError(server.get("/v1/messages"), 405, "invalid_request_error");
            var large = HttpRequest.BodyPublishers.ofByteArray(new byte[(32 << 20) + 1]);
            assertError(server.send(server.request("/v1/messages").POST(large)), 413, "request_too_large");
        }
    }

    @Test
    void refusalsOfWhatHasNoRouteHaveItWhereTheClientIsThatApis() {
        try (var server = TestServer.open(OK)) {
            for (String path : List.of("/v1/messagesx", "/v1/messages/batches", "/v1/v1/complete", "/messages/none?beta=true")) {
                assertError(server.get(path), 404, "not_found_error");
            }
            assertRefused(server, "http://localhost/v1/messages/none", 404, "not_found_error");
            assertRefused(server, "/v1/messages/%zz", 400, "invalid_request_error");
            for (String path : List.of("/v1/files", "/v1/models/none")) {
                assertError(server.send(server.request(path).header("anthropic-version", "2023-06-01")), 404, "not_found_error");
            }
            assertError(server.send(server.anonymous("/v1/messagesx").GET()), 401, "authentication_error");
        }
    }

    @Test
    void refusalsToOthersStayInTheirOwnWords() {
        try (var server = TestServer.open(OK)) {
            assertThat(server.get("/v1/filesx").body()).startsWith("{\"error\":{");
            assertThat(server.get("/v1/models/none").body()).startsWith("{\"error\":{");
            assertThat(server.get("/v1/mess").body()).startsWith("{\"error\":{");
            HttpResponse<String> chat = server.send(server.request("/v1/chat/completions").header("anthropic-version", "2023-06-01").GET());
            assertThat(chat.statusCode()).isEqualTo(405);
            assertThat(chat.body()).startsWith("{\"error\":{");
        }
    }

    @Test
    void eitherKeyHeaderOpensTheDoor() {
        try (var server = TestServer.open(OK)) {
            var body = HttpRequest.BodyPublishers.ofString("{}");
            HttpResponse<String> answer = server.send(server.anonymous("/v1/messages").header("x-api-key", TestServer.KEY)
                    .header("anthropic-version", "2023-06-01").header("anthropic-beta", "tools-2024-04-04").POST(body));

            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.headers().firstValue("request-id")).isEqualTo(answer.headers().firstValue("x-request-id")).isPresent();
            assertThat(server.post("/v1/messages", "{}").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void aPagesPreflightIsGrantedTheApisHeaders() {
        try (var server = TestServer.open(OK)) {
            String asked = "x-api-key,anthropic-version,anthropic-beta,anthropic-dangerous-direct-browser-access,content-type";
            HttpResponse<String> answer = server.send(server.anonymous("/v1/messages").header("Origin", "http://localhost:3000")
                    .header("Access-Control-Request-Headers", asked).method("OPTIONS", HttpRequest.BodyPublishers.noBody()));

            assertThat(answer.statusCode()).isEqualTo(204);
            assertThat(answer.headers().firstValue("access-control-allow-headers")).contains(asked);
            assertThat(answer.headers().firstValue("access-control-expose-headers").orElseThrow()).contains("Request-Id");
        }
    }

    @Test
    void aStreamEndsWithItsLastEvent() {
        RequestRunner runner = (_, _, _, sink) -> {
            sink.beginStream();
            sink.event(OffHeap.utf8("event: message_stop\ndata: {\"type\":\"message_stop\"}"));
            sink.endTypedStream();
        };
        try (var server = TestServer.open(runner)) {
            assertThat(server.post("/v1/messages", "{}").body()).isEqualTo("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        }
    }

    @Test
    void anUnforeseenFailureInAStreamIsAnErrorEvent() {
        RequestRunner runner = (_, _, _, sink) -> {
            sink.beginStream();
            throw new IllegalStateException("broken");
        };
        try (var server = TestServer.open(runner)) {
            assertThat(server.post("/v1/messages", "{}").body())
                    .startsWith("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",").endsWith("}\n\n").doesNotContain("broken");
        }
    }
}
