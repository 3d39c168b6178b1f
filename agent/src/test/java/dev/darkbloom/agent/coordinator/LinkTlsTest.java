package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.TestCertificates;
import io.netty.handler.ssl.SslContext;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS with real peers, whose certificates an authority of this test has signed. */
class LinkTlsTest extends LinkTest {
    private static final String HERE = "dns:localhost,ip:127.0.0.1";

    @TempDir
    static Path keys;

    private static TestCertificates certificates;
    private static SslContext good;

    @BeforeAll
    static void makeCertificates() {
        certificates = TestCertificates.in(keys);
        good = certificates.server(HERE, "-1d", 10);
    }

    private void speak(SslContext tls) {
        coordinator.close();
        coordinator = FakeCoordinator.open(tls);
    }

    private CoordinatorRoute trusting() {
        return CoordinatorRoute.of(CoordinatorAddress.parse(coordinator.url()), Map.of(), Optional.of(certificates.authority()));
    }

    @Test
    void anAuthorityOfTheSettingsIsTrustedByTheSocketAndByHttp() throws Exception {
        speak(good);
        coordinator.peer().servePages(_ -> Optional.of("{\"n\":1}"));
        start(trusting(), Optional.empty(), settings());

        assertThat(coordinator.awaitNode().ask("say 3").awaitEnd()).isInstanceOf(End.Complete.class);
        try (var http = new CoordinatorHttp(trusting())) {
            assertThat(http.get("/v1/x").body()).isEqualTo("{\"n\":1}");
        }
    }

    @Test
    void anAuthorityOfTheSystemIsTrusted() {
        speak(good);
        start(route(Map.of("SSL_CERT_FILE", certificates.authority().toString())), Optional.empty(), settings());

        assertThat(coordinator.awaitNode().ask("say 3").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void anAuthorityThatNobodyKnowsIsNotTrusted() throws Exception {
        speak(good);
        start(route(Map.of()), Optional.empty(), settings());

        assertUntrusted("signed by nobody known here", "coordinator.ca_file");
        try (var http = new CoordinatorHttp(route(Map.of()))) {
            assertThatThrownBy(() -> http.get("/v1/x")).isInstanceOfSatisfying(AgentException.class, e -> {
                assertThat(e.code()).isEqualTo(ErrorCode.COORDINATOR_UNREACHABLE);
                assertThat(e.getMessage()).contains("signed by nobody known here").contains("coordinator.ca_file");
            });
        }
    }

    @Test
    void aCertificateThatHasExpiredIsNotTrusted() {
        speak(certificates.server(HERE, "-10d", 5));
        start(trusting(), Optional.empty(), settings());

        assertUntrusted("has expired", "renew");
    }

    @Test
    void aCertificateThatIsNotValidYetIsNotTrusted() {
        speak(certificates.server(HERE, "+5d", 5));
        start(trusting(), Optional.empty(), settings());

        assertUntrusted("not valid yet", "clock");
    }

    @Test
    void aCertificateForAnotherNameIsNotTrusted() {
        speak(certificates.server("dns:elsewhere.example", "-1d", 10));
        start(trusting(), Optional.empty(), settings());

        assertUntrusted("another name than localhost", "coordinator.url");
    }

    @Test
    void onlyTls13And12AreOfferedAndAPeerWithNeitherIsNotTrusted() throws Exception {
        byte[] protocolVersion = {21, 3, 1, 0, 2, 2, 70}; // a fatal alert (RFC 8446, 6.2)
        var hello = new CompletableFuture<String>();
        try (var peer = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            answerAll(peer, client -> {
                var in = new DataInputStream(client.getInputStream());
                in.readNBytes(3); // a record of a handshake, and its version
                hello.complete(HexFormat.of().formatHex(in.readNBytes(in.readUnsignedShort())));
                client.getOutputStream().write(protocolVersion);
                in.readAllBytes();
            });
            start(routeTo("wss://localhost:" + peer.getLocalPort()), Optional.empty(), settings());

            assertUntrusted("no TLS 1.2 or 1.3", "TLS 1.2");
            assertThat(hello.get()).contains("002b00050403040303"); // the extension supported_versions: 0304, 0303
        }
    }

    @Test
    void aHandshakeThatHangsIsGivenUpAndTriedAgain() throws Exception {
        try (var peer = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            answerAll(peer, client -> client.getInputStream().readAllBytes());
            start(routeTo("wss://localhost:" + peer.getLocalPort()), Optional.empty(), hasty());

            await().untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());
            assertThat(link.status().lastEnd().orElseThrow().kind()).isEqualTo(LinkEnd.Kind.UNREACHABLE);
        }
    }

    @Test
    void aPeerThatSpeaksNoTlsIsNoCoordinator() {
        String plain = coordinator.url().replace("ws://127.0.0.1", "wss://localhost");
        start(routeTo(plain), Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.NOT_A_COORDINATOR));
        assertThat(link.status().advice()).contains("wss:// is for TLS");
    }

    @Test
    void aPeerThatExpectsTlsIsNotConnectedToWithout() {
        speak(good);
        start(routeTo(coordinator.url().replace("wss://", "ws://")), Optional.empty(), hasty());

        await().untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());
        await().untilAsserted(() -> assertThat(link.status().advice()).contains("wss://"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"absent.pem", "text.pem", "empty.pem", "."})
    void aFileWithoutCertificatesIsAnErrorOfTheSettings(String name) throws IOException {
        Files.writeString(folder.resolve("text.pem"), "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
        Files.writeString(folder.resolve("empty.pem"), "");
        var secure = CoordinatorAddress.parse("wss://c.example");

        assertThatThrownBy(() -> CoordinatorRoute.of(secure, Map.of(), Optional.of(folder.resolve(name))))
                .isInstanceOfSatisfying(AgentException.class, e -> {
                    assertThat(e.code()).isEqualTo(ErrorCode.CONFIG_INVALID);
                    assertThat(e.getMessage()).startsWith("coordinator.ca_file ");
                });
    }

    private void assertUntrusted(String detail, String remedy) {
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.UNTRUSTED));
        assertThat(link.status().lastEnd().orElseThrow().detail()).contains(detail);
        assertThat(link.status().advice()).contains(remedy);
        assertThat(link.status().nextAttempt()).isPresent();
        assertThat(coordinator.peer().handshakes()).isZero();
    }

    private static CoordinatorRoute routeTo(String url) {
        return CoordinatorRoute.of(CoordinatorAddress.parse(url), Map.of(), Optional.of(certificates.authority()));
    }

    private static LinkSettings hasty() {
        LinkSettings of = settings();
        var socket = new SocketSettings(Duration.ofMillis(300), 1 << 20, 1 << 20, 64 << 10, "test/1");
        return new LinkSettings(of.heartbeat(), of.ping(), of.pong(), of.silence(), of.listing(), false, of.forPerson(), of.settling(), socket, of.desk());
    }

    /** What a peer does with one client. */
    private interface Script {
        void run(Socket client) throws IOException;
    }

    private static void answerAll(ServerSocket peer, Script script) {
        Thread.ofVirtual().name("tls-peer").start(() -> {
            while (!peer.isClosed()) {
                try (Socket client = peer.accept()) {
                    script.run(client);
                } catch (IOException e) {
                    if (!peer.isClosed() && !(e instanceof SocketException)) {
                        throw new UncheckedIOException(e);
                    }
                }
            }
        });
    }
}
