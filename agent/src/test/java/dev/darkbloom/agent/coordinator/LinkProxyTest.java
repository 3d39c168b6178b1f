package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.ProxyPeer;
import dev.darkbloom.agent.testing.coordinator.TestCertificates;
import io.netty.handler.ssl.SslContext;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A link, and HTTP calls, through a real proxy, which alone knows where {@code coordinator.test} is. */
class LinkProxyTest extends LinkTest {
    private static final String HOST = "coordinator.test";

    @TempDir
    static Path keys;

    private static TestCertificates certificates;
    private static SslContext tls;

    private final ProxyPeer proxy = ProxyPeer.open();

    @BeforeAll
    static void makeCertificates() {
        certificates = TestCertificates.in(keys);
        tls = certificates.server("dns:" + HOST, "-1d", 10);
    }

    @BeforeEach
    void speakTls() {
        coordinator.close();
        coordinator = FakeCoordinator.open(tls);
        coordinator.peer().servePages(request -> Optional.of("{\"page\":\"" + request.uri() + "\"}"));
    }

    @AfterEach
    void closeTheProxy() {
        proxy.close();
    }

    /** {@code PROXY} in a value stands for the proxy's address. */
    private CoordinatorRoute through(String variable, String value) {
        return through(Map.of(variable, value.replace("PROXY", proxy.authority())));
    }

    private CoordinatorRoute through(Map<String, String> environment) {
        return CoordinatorRoute.of(CoordinatorAddress.parse("wss://" + HOST + ":" + coordinator.peer().port()), environment,
                Optional.of(certificates.authority()));
    }

    @ParameterizedTest
    @CsvSource({"HTTPS_PROXY, http://PROXY", "https_proxy, PROXY", "ALL_PROXY, http://PROXY", "ALL_PROXY, socks5://PROXY", "HTTPS_PROXY, socks5h://PROXY"})
    void requestsAreServedThroughAProxyWithTlsInside(String variable, String value) {
        start(through(variable, value), Optional.empty(), settings());

        assertThat(coordinator.awaitNode().ask("say 3").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(proxy.asked()).contains(HOST + ":" + coordinator.peer().port());
        assertThat(link.status().proxy().orElseThrow()).endsWith(proxy.authority());
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://me:s%40cret@PROXY", "socks5://me:s%40cret@PROXY"})
    void aLoginOpensTheProxyForTheSocketAndForHttp(String value) throws Exception {
        proxy.askFor("me", "s@cret");
        CoordinatorRoute route = through("ALL_PROXY", value);
        start(route, Optional.empty(), settings());

        assertThat(coordinator.awaitNode().ask("say 3").awaitEnd()).isInstanceOf(End.Complete.class);
        try (var http = new CoordinatorHttp(route)) {
            assertThat(http.get("/v1/a?b=c").body()).isEqualTo("{\"page\":\"/v1/a?b=c\"}");
            assertThat(http.post("/v1/device/code", "{}").status()).isEqualTo(200);
            try (var lines = http.stream("/v1/chat/completions", "{}", new Redacted("key"), Map.of(), Duration.ofSeconds(10))) {
                assertThat(lines.lines()).containsExactly("{\"page\":\"/v1/chat/completions\"}");
            }
        }
        assertThat(link.status().toString()).doesNotContain("s@cret").doesNotContain("s%40cret");
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://PROXY", "http://me:wrong@PROXY", "socks5://PROXY", "socks5://me:wrong@PROXY"})
    void aProxyThatAsksForAnotherLoginIsANamedStateWithARemedy(String value) {
        proxy.askFor("me", "right");
        CoordinatorRoute route = through("HTTPS_PROXY", value);
        start(route, Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.PROXY_REFUSED));
        assertThat(link.status().advice()).contains("USER:PASSWORD");
        assertThat(link.status().lastEnd().orElseThrow().detail()).contains("user and a password").doesNotContain("wrong");
        try (var http = new CoordinatorHttp(route)) {
            assertThatThrownBy(() -> http.get("/")).isInstanceOf(AgentException.class).hasMessageContaining("USER:PASSWORD")
                    .hasMessageContaining(proxy.authority()).hasMessageNotContaining("wrong");
        }
        assertThat(proxy.asked()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"http, 403, PROXY_REFUSED", "http, 405, PROXY_REFUSED", "http, 502, WAITING", "http, 503, WAITING", "socks5, 1, PROXY_REFUSED"})
    void aProxyThatRefusesIsNamed(String scheme, int status, LinkState state) {
        proxy.refuseWith(status);
        start(through("HTTPS_PROXY", scheme + "://PROXY"), Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(state));
        LinkEnd end = link.status().lastEnd().orElseThrow();
        assertThat(end.detail()).contains("the proxy " + scheme + "://" + proxy.authority());
        assertThat(link.status().nextAttempt()).isPresent();
        assertThat(coordinator.peer().handshakes()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"http", "socks5"})
    void aProxyThatHangsIsGivenUp(String scheme) {
        proxy.fallMute();
        LinkSettings of = settings();
        var socket = new SocketSettings(Duration.ofMillis(300), 1 << 20, 1 << 20, 64 << 10, "test/1");
        start(through("HTTPS_PROXY", scheme + "://PROXY"), Optional.empty(),
                new LinkSettings(of.heartbeat(), of.ping(), of.pong(), of.silence(), of.listing(), false, of.forPerson(), of.settling(), socket, of.desk()));

        await().untilAsserted(() -> assertThat(link.status().lastEnd().map(LinkEnd::kind)).contains(LinkEnd.Kind.UNREACHABLE));
    }

    @Test
    void aProxyThatIsNotThereIsNamed() {
        proxy.close();
        start(through("HTTPS_PROXY", "http://PROXY"), Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().lastEnd().map(LinkEnd::detail))
                .contains("no connection to the proxy http://" + proxy.authority() + ": refused"));
    }

    @Test
    void aProxyWhoseNameIsNotKnownIsNamed() {
        start(through("HTTPS_PROXY", "http://nobody.invalid:1"), Optional.empty(), settings());

        await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());
        assertThat(link.status().lastEnd().orElseThrow().detail()).isEqualTo("the proxy's name is not known");
    }

    @Test
    void aHostThatNeedsNoProxyIsNotAskedForThere() {
        start(through(Map.of("HTTPS_PROXY", "http://" + proxy.authority(), "NO_PROXY", ".test")), Optional.empty(), settings());

        await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());
        assertThat(link.status().proxy()).isEmpty();
        assertThat(proxy.asked()).isEmpty();
    }
}
