package dev.darkbloom.agent.api;

import static dev.darkbloom.agent.api.RawConnection.post;
import static dev.darkbloom.agent.api.RawConnection.request;
import static dev.darkbloom.agent.api.Texts.segment;
import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.api.RawConnection.Answer;
import dev.darkbloom.agent.base.Redacted;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a client may get wrong: each has a typed answer, and the endpoint goes on. */
@ExtendWith(NoBufferLeaks.class)
class BadInputTest {
    private static TestServer server;

    @BeforeAll
    static void open() {
        var settings = new ApiSettings(
                "127.0.0.1", 0, Optional.of(new Redacted(TestServer.KEY)), Set.of("https://chat.example"), ApiLimits.DEFAULT);
        RequestRunner counts = (endpoint, id, body, sink) -> sink.document(segment("{\"bytes\":" + body.length() + "}"));
        server = TestServer.open(settings, counts, PropsSource.NONE);
    }

    @AfterAll
    static void close() {
        server.close();
    }

    private static Answer ask(String text) {
        try (RawConnection connection = server.connect()) {
            return connection.send(text).read();
        }
    }

    @Test
    void whatIsNoHttpIsRefusedAndTheConnectionEnds() {
        String tls = "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\r\n\r\n";
        for (String garbage : List.of("nonsense\r\n\r\n", "GET\r\n\r\n", tls, "GET / HTTP/9.x\r\n\r\n")) {
            try (RawConnection connection = server.connect()) {
                Answer answer = connection.send(garbage).read();
                assertThat(answer.status()).as(garbage).isEqualTo(400);
                assertThat(answer.body()).contains("\"code\":\"invalid_request\"");
                assertThat(connection.isEnded()).isTrue();
            }
        }
    }

    @Test
    void tenThousandHeadersAreTooMany() {
        var text = new StringBuilder("GET /health HTTP/1.1\r\nHost: localhost\r\n");
        for (int i = 0; i < 10_000; i++) {
            text.append("X-Header-").append(i).append(": ").append(i).append("\r\n");
        }
        try (RawConnection connection = server.connect()) {
            Answer answer = connection.send(text.append("\r\n").toString()).read();
            assertThat(answer.status()).isEqualTo(431);
            assertThat(answer.body()).contains("\"code\":\"headers_too_large\"");
            assertThat(connection.isEnded()).isTrue();
        }
    }

    @Test
    void aLongRequestLineIsRefused() {
        Answer answer = ask("GET /" + "x".repeat(20_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.body()).contains("request line");
    }

    @Test
    void lengthsThatContradictEachOtherAreRefused() {
        for (List<String> headers : List.of(
                List.of("Content-Length: 2", "Transfer-Encoding: chunked"),
                List.of("Content-Length: 2", "Content-Length: 3"),
                List.of("Content-Length: -1"),
                List.of("Content-Length: two"),
                List.of("Content-Length: 99999999999999999999"))) {
            Answer answer = ask(request("POST", "/v1/completions", headers.toArray(String[]::new)) + "{}");
            assertThat(answer.status()).as(headers.toString()).isEqualTo(400);
        }
    }

    @Test
    void aChunkWithoutASizeIsRefused() {
        Answer answer = ask(request("POST", "/v1/completions", "Transfer-Encoding: chunked") + "zz\r\n{}\r\n0\r\n\r\n");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.body()).contains("chunks");
    }

    @Test
    void aBodyInChunksIsPutTogether() {
        String chunks = "2\r\n{}\r\n3;ext=1\r\nabc\r\n0\r\nTrailer: x\r\n\r\n";
        Answer answer = ask(request("POST", "/v1/completions", "Transfer-Encoding: chunked") + chunks);
        assertThat(answer.body()).isEqualTo("{\"bytes\":5}");
    }

    @Test
    void aDeclaredBodyBeyondTheCapIsRefusedWithTheCap() {
        try (RawConnection connection = server.connect()) {
            // Nothing of the body is sent: the answer must not wait for it.
            Answer answer = connection.send(request("POST", "/v1/completions", "Content-Length: 2097153")).read();
            assertThat(answer.status()).isEqualTo(413);
            assertThat(answer.body()).contains("\"code\":\"payload_too_large\"").contains("2097152 bytes (2 MiB)");
            assertThat(answer.headers()).containsEntry("connection", "close");
        }
    }

    @Test
    void aClientThatSendsAllOfAnOversizeBodyStillReadsTheRefusal() {
        var answer = server.post("/v1/completions", "x".repeat(12 << 20));
        assertThat(answer.statusCode()).isEqualTo(413);

        assertThat(server.post("/v1/chat/completions", "x".repeat(12 << 20)).body()).isEqualTo("{\"bytes\":12582912}");
    }

    @Test
    void aBodyInChunksBeyondTheCapIsRefusedWithTheCap() {
        String chunk = "10000\r\n" + "x".repeat(0x10000) + "\r\n";
        try (RawConnection connection = server.connect()) {
            connection.send(request("POST", "/v1/completions", "Transfer-Encoding: chunked"));
            for (int i = 0; i < 64; i++) {
                connection.send(chunk);
            }
            Answer answer = connection.read();
            assertThat(answer.status()).isEqualTo(413);
            assertThat(answer.body()).contains("2 MiB");
            assertThat(connection.isEnded()).isTrue();
        }
    }

    @Test
    void aClientThatAsksBeforeItSendsIsToldToGoOn() {
        try (RawConnection connection = server.connect()) {
            connection.send(request("POST", "/v1/completions", "Expect: 100-continue", "Content-Length: 4"));
            assertThat(connection.read().status()).isEqualTo(100);
            assertThat(connection.send("{} \n").read().body()).isEqualTo("{\"bytes\":4}");
        }
    }

    @Test
    void aClientThatAsksBeforeItSendsTooMuchIsToldNotTo() {
        try (RawConnection connection = server.connect()) {
            Answer answer = connection.send(request("POST", "/v1/completions", "Expect: 100-continue", "Content-Length: 9999999")).read();
            assertThat(answer.status()).isEqualTo(413);
            assertThat(connection.isEnded()).isTrue();
        }
        try (RawConnection connection = server.connect()) {
            connection.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
            assertThat(connection.read().status()).isEqualTo(401);
        }
    }

    @Test
    void aForeignHostIsRefused() {
        Answer answer = ask("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer " + TestServer.KEY + "\r\n\r\n");
        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.body()).contains("\"code\":\"forbidden_host\"");
        assertThat(answer.headers()).doesNotContainKey("access-control-allow-origin");
    }

    @Test
    void aForeignOriginIsRefusedAndMayNotReadWhy() {
        String[] simple = {"Origin: https://evil.example", "Content-Type: text/plain", "Content-Length: 2"};
        Answer answer = ask(request("POST", "/v1/chat/completions", simple) + "{}");
        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.body()).contains("\"code\":\"forbidden_origin\"");
        assertThat(answer.headers()).doesNotContainKey("access-control-allow-origin").containsEntry("vary", "origin");
    }

    @Test
    void anAllowedOriginIsNamedBack() {
        for (String origin : List.of("http://localhost:3000", "https://chat.example")) {
            Answer answer = ask(request("POST", "/v1/chat/completions", "Origin: " + origin, "Content-Length: 2") + "{}");
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.headers()).containsEntry("access-control-allow-origin", origin).containsEntry("vary", "origin");
        }
        Answer unauthorized = ask("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://chat.example\r\n\r\n");
        assertThat(unauthorized.status()).isEqualTo(401);
        assertThat(unauthorized.headers()).containsEntry("access-control-allow-origin", "https://chat.example");
    }

    @Test
    void aPreflightIsGrantedWhatItAsksFor() {
        Answer answer = ask("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
                + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,x-stainless-os\r\n"
                + "Access-Control-Request-Private-Network: true\r\n\r\n");

        assertThat(answer.status()).isEqualTo(204);
        assertThat(answer.headers())
                .containsEntry("access-control-allow-origin", "http://localhost:3000")
                .containsEntry("access-control-allow-methods", "GET, POST, DELETE, OPTIONS")
                .containsEntry("access-control-allow-headers", "authorization,x-stainless-os")
                .containsEntry("access-control-allow-private-network", "true")
                .containsEntry("vary", "origin, access-control-request-headers");
        assertThat(answer.body()).isEmpty();
    }

    @Test
    void aForeignPreflightIsNotGranted() {
        Answer answer = ask("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n"
                + "Access-Control-Request-Method: POST\r\n\r\n");
        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.headers()).doesNotContainKey("access-control-allow-origin").doesNotContainKey("access-control-allow-methods");
    }

    @Test
    void aConnectionServesOnAfterErrors() {
        try (RawConnection connection = server.connect()) {
            assertThat(connection.send(request("GET", "/nowhere")).read().status()).isEqualTo(404);
            assertThat(connection.send(request("DELETE", "/v1/models")).read().status()).isEqualTo(405);
            String withoutKey = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
            assertThat(connection.send(withoutKey).read().status()).isEqualTo(401);
            assertThat(connection.send(request("POST", "/health", "Content-Length: 5") + "hello").read().status()).isEqualTo(405);
            assertThat(connection.send(request("GET", "/v1/models/none")).read().status()).isEqualTo(404);
            assertThat(connection.send(post("/v1/completions", "{}")).read().body()).isEqualTo("{\"bytes\":2}");
        }
    }

    @Test
    void requestsSentTogetherAreAnsweredInOrder() {
        var all = new StringBuilder();
        for (int i = 0; i < 50; i++) {
            all.append(post("/v1/completions", "x".repeat(i))).append(request("GET", "/nowhere")).append(request("GET", "/health"));
        }
        try (RawConnection connection = server.connect()) {
            connection.send(all.toString());
            for (int i = 0; i < 50; i++) {
                assertThat(connection.read().body()).isEqualTo("{\"bytes\":" + i + "}");
                assertThat(connection.read().status()).isEqualTo(404);
                assertThat(connection.read().status()).isEqualTo(200);
            }
        }
    }

    @Test
    void aFloodOfRequestsIsReadAsItIsAnswered() throws Exception {
        String one = post("/v1/completions", "x".repeat(10_000));
        int count = 300;
        try (RawConnection connection = server.connect()) {
            Thread sender = Thread.ofVirtual().start(() -> {
                for (int i = 0; i < count; i++) {
                    connection.send(one);
                }
            });
            for (int i = 0; i < count; i++) {
                assertThat(connection.read().body()).isEqualTo("{\"bytes\":10000}");
            }
            sender.join();
        }
    }

    @Test
    void oldClientsAreAnsweredAndTheConnectionEnds() {
        try (RawConnection connection = server.connect()) {
            Answer answer = connection.send("GET /health HTTP/1.0\r\n\r\n").read();
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.headers()).containsEntry("connection", "close");
            assertThat(connection.isEnded()).isTrue();
        }
        try (RawConnection connection = server.connect()) {
            String keepAlive = "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
            assertThat(connection.send(keepAlive).read().headers()).containsEntry("connection", "keep-alive");
            assertThat(connection.send(keepAlive).read().status()).isEqualTo(200);
        }
    }

    @Test
    void aTargetInAbsoluteFormIsAnswered() {
        assertThat(ask("GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n").status()).isEqualTo(200);
    }

    @Test
    void bytesBeyondAsciiInHeadersDoNoHarm() {
        try (RawConnection connection = server.connect()) {
            connection.send("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Name: grüße\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            assertThat(connection.read().status()).isEqualTo(200);
        }
    }
}
