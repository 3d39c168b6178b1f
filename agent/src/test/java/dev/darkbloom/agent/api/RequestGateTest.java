package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.api.RequestGate.Verdict;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RequestGateTest {
    private boolean draining;
    private final RequestGate gate = gate("127.0.0.1", "https://chat.example");

    private RequestGate gate(String bind, String... origins) {
        return new RequestGate(
                AllowedHosts.of(bind, address(bind)),
                new AllowedOrigins(Set.of(origins)),
                new ApiKey(Optional.of(new Redacted("key"))),
                () -> draining);
    }

    private static InetAddress address(String host) {
        try {
            return InetAddress.getByName(host);
        } catch (UnknownHostException e) {
            throw new AssertionError(e);
        }
    }

    private static HttpRequest request(HttpMethod method, String target, String... headers) {
        var request = new DefaultHttpRequest(HttpVersion.HTTP_1_1, method, target);
        request.headers().set("Host", "localhost:8000").set("Authorization", "Bearer key");
        for (int i = 0; i < headers.length; i += 2) {
            request.headers().set(headers[i], headers[i + 1]);
        }
        return request;
    }

    private static HttpRequest get(String target, String... headers) {
        return request(HttpMethod.GET, target, headers);
    }

    private static HttpRequest post(String target, String... headers) {
        return request(HttpMethod.POST, target, headers);
    }

    private ErrorCode refusal(HttpRequest request) {
        return refusal(gate, request);
    }

    private static ErrorCode refusal(RequestGate gate, HttpRequest request) {
        return gate.judge(request) instanceof Verdict.Refuse(var error, _, _) ? error.code() : null;
    }

    @Test
    void loopbackNamesAndAddressesAreThisMachine() {
        for (String host : List.of(
                "localhost", "LOCALHOST:8000", "localhost.", "app.localhost:1", "127.0.0.1:8000", "127.8.9.1", "[::1]:8000")) {
            assertThat(refusal(get("/v1/models", "Host", host))).as(host).isNull();
        }
    }

    @Test
    void otherNamesAreRefused() {
        for (String host : List.of(
                "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.1.7:8000", "0.0.0.0", "[::2]", "", "a:b", "[::1",
                "::1")) {
            assertThat(refusal(get("/v1/models", "Host", host))).as(host).isEqualTo(ErrorCode.FORBIDDEN_HOST);
            assertThat(refusal(get("/health", "Host", host))).as(host).isEqualTo(ErrorCode.FORBIDDEN_HOST);
        }
    }

    @Test
    void anEndpointOnEveryInterfaceTakesAnyAddressButNoForeignName() {
        RequestGate open = gate("0.0.0.0");
        assertThat(refusal(open, get("/v1/models", "Host", "192.168.1.7:8000"))).isNull();
        assertThat(refusal(open, get("/v1/models", "Host", "[fe80::1]"))).isNull();
        assertThat(refusal(open, get("/v1/models", "Host", "evil.example"))).isEqualTo(ErrorCode.FORBIDDEN_HOST);
    }

    @Test
    void anEndpointOnOneAddressTakesThatAndLoopbackNames() {
        RequestGate lan = gate("192.168.1.7");
        assertThat(refusal(lan, get("/v1/models", "Host", "192.168.1.7:8000"))).isNull();
        assertThat(refusal(lan, get("/v1/models", "Host", "192.168.1.8:8000"))).isEqualTo(ErrorCode.FORBIDDEN_HOST);
    }

    @Test
    void exactlyOneHostIsNeeded() {
        HttpRequest none = get("/health");
        none.headers().remove("Host");
        assertThat(refusal(none)).isEqualTo(ErrorCode.INVALID_REQUEST);

        HttpRequest two = get("/health");
        two.headers().add("Host", "localhost");
        assertThat(refusal(two)).isEqualTo(ErrorCode.INVALID_REQUEST);

        HttpRequest old = get("/health").setProtocolVersion(HttpVersion.HTTP_1_0);
        old.headers().remove("Host");
        assertThat(refusal(old)).isNull();
    }

    @Test
    void aTargetInAbsoluteFormIsAPathOfTheHostItNames() {
        assertThat(gate.judge(get("http://localhost:8000/v1/models/a/b?x=1")))
                .isInstanceOfSatisfying(Verdict.Serve.class, serve -> assertThat(serve.id()).isEqualTo("a/b"));
        assertThat(refusal(get("http://evil.example/v1/models"))).isEqualTo(ErrorCode.FORBIDDEN_HOST);
        assertThat(refusal(get("http://localhost"))).isNull();
    }

    @Test
    void pagesOfThisMachineAndNamedOnesMayAsk() {
        for (String origin : List.of(
                "http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "https://chat.example", "HTTPS://CHAT.EXAMPLE")) {
            assertThat(refusal(post("/v1/chat/completions", "Origin", origin))).as(origin).isNull();
        }
    }

    @Test
    void otherPagesMayNotEvenSendASimpleRequest() {
        for (String origin : List.of(
                "https://evil.example", "null", "http://localhost.evil.example", "http://localhost@evil.example",
                "https://chat.example:444", "file://", "chrome-extension://abc", "http://")) {
            assertThat(refusal(post("/v1/chat/completions", "Origin", origin))).as(origin).isEqualTo(ErrorCode.FORBIDDEN_ORIGIN);
            assertThat(refusal(get("/v1/models", "Origin", origin))).as(origin).isEqualTo(ErrorCode.FORBIDDEN_ORIGIN);
            HttpRequest preflight = request(HttpMethod.OPTIONS, "/v1/models", "Origin", origin);
            assertThat(refusal(preflight)).as(origin).isEqualTo(ErrorCode.FORBIDDEN_ORIGIN);
            assertThat(refusal(get("/health", "Origin", origin))).as(origin).isNull();
        }
    }

    @Test
    void aStarAllowsEveryOrigin() {
        assertThat(refusal(gate("127.0.0.1", "*"), post("/v1/chat/completions", "Origin", "https://any.example"))).isNull();
    }

    @Test
    void aPreflightNeedsNoKey() {
        HttpRequest preflight = request(HttpMethod.OPTIONS, "/v1/chat/completions", "Origin", "http://localhost:3000");
        preflight.headers().remove("Authorization");

        assertThat(gate.judge(preflight)).isEqualTo(new Verdict.Preflight("POST, OPTIONS"));
    }

    @Test
    void theKeyIsAskedForBeforeThePathIsLookedAt() {
        assertThat(refusal(get("/nowhere", "Authorization", "Bearer wrong"))).isEqualTo(ErrorCode.UNAUTHORIZED);
        assertThat(refusal(get("/nowhere"))).isEqualTo(ErrorCode.NOT_FOUND);
        assertThat(refusal(post("/health", "Authorization", "Bearer wrong"))).isEqualTo(ErrorCode.UNAUTHORIZED);
        assertThat(refusal(post("/health"))).isEqualTo(ErrorCode.METHOD_NOT_ALLOWED);
    }

    @Test
    void theCapDependsOnTheRoute() {
        String chat = Integer.toString(32 << 20);
        String other = Integer.toString(2 << 20);
        assertThat(refusal(post("/v1/chat/completions", "Content-Length", chat))).isNull();
        assertThat(refusal(post("/v1/chat/completions", "Content-Length", chat + "0"))).isEqualTo(ErrorCode.PAYLOAD_TOO_LARGE);
        assertThat(refusal(post("/v1/completions", "Content-Length", other))).isNull();
        assertThat(refusal(post("/v1/completions", "Content-Length", chat))).isEqualTo(ErrorCode.PAYLOAD_TOO_LARGE);
    }

    @Test
    void codingsThatAreNotReadAreRefused() {
        assertThat(refusal(post("/v1/completions", "Transfer-Encoding", "gzip, chunked"))).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refusal(post("/v1/completions", "Transfer-Encoding", "Chunked"))).isNull();
        assertThat(refusal(post("/v1/completions", "Content-Encoding", "gzip"))).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void aBrokenPercentSignIsRefused() {
        assertThat(refusal(get("/v1/models/%zz"))).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void otherVersionsAreRefused() {
        assertThat(refusal(get("/health").setProtocolVersion(HttpVersion.valueOf("HTTP/2.0")))).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void whileDrainingPagesAreAnsweredAndRequestsAreNot() {
        draining = true;
        assertThat(refusal(get("/v1/models"))).isNull();
        assertThat(refusal(get("/health"))).isNull();
        assertThat(refusal(post("/v1/chat/completions"))).isEqualTo(ErrorCode.DRAINING);
    }
}
