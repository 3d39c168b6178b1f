package dev.darkbloom.agent.service.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.service.account.AccountLink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ControlSocketTest {
    private static final StatusReport.Compute COMPUTE = new StatusReport.Compute(4, 1, "off", 512, 2500, "measured", Optional.empty(),
            Optional.of(Instant.parse("2026-11-24T07:00:00Z")), 1.25, 0.03);

    static final StatusReport REPORT = new StatusReport(
            "ready", "nothing to do", "local", 4711, "0.1.0", "v0.4.0", "25", "mac-arm64", Instant.parse("2026-11-24T08:00:00Z"), 61,
            Optional.of(new StatusReport.Endpoint("http://127.0.0.1:8000/v1", "127.0.0.1", 8000, true, false)),
            Optional.of(new StatusReport.Coordinator("wss://c.example/ws/provider", Optional.empty(), "connected", "nothing to do",
                        Instant.parse("2026-11-24T08:00:00Z"), Optional.of(Instant.parse("2026-11-24T08:00:01Z")), Optional.empty(), Optional.empty(),
                        Optional.of("closed with 1000 goodbye"), Optional.empty(), 0, "no", true, "llama.cpp", false, "secure enclave", List.of("org/m"), 12, 1, 2, 3,
                        400, 5, 6, 7, List.of("r-1"),
                        List.of(new StatusReport.Fetch("org/n", "fetching", 3, 12, Optional.empty()),
                                new StatusReport.Fetch("org/x", "failed", 0, 0, Optional.of("no manifest"))),
                        List.of(new StatusReport.Gate("network", "pass", true, "connected", "", Optional.of(Instant.EPOCH)),
                                new StatusReport.Gate("thermal", "fail", true, "too hot", "let it cool", Optional.empty())),
                        List.of(new StatusReport.Finding("sip", "unknown", "no csrutil", Instant.EPOCH)))),
            List.of(
                    new StatusReport.Model("demo", "ready", 1, Optional.empty(), 8, 2, 1, 64, 2048, 300, 1000, 400, 5000, 20, 1, 2, 3,
                            1234.5, 456.7, 4L << 20, Optional.of(COMPUTE)),
                    new StatusReport.Model("big", "failed", 0, Optional.of("needs 9 bytes"), 8, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Optional.empty())),
            new StatusReport.Memory(10L << 30, 4L << 20, 16L << 30, 12L << 30),
            "/h", "/h/agent.toml", "/h/logs/agent.log");

    @TempDir
    Path directory;

    private AgentHome home;

    @BeforeEach
    void makeTheHome() {
        home = new AgentHome(directory.resolve("home"), directory.resolve("cache")).create();
    }

    @Test
    void aReportArrivesAsItWasSent() {
        try (var _ = ControlServer.open(home.controlSocket(), new FakeAgent()); var client = ControlClient.connect(home).orElseThrow()) {
            assertThat(client.status()).isEqualTo(REPORT);
            assertThat(client.status()).isEqualTo(REPORT);
        }
    }

    @Test
    void theSocketBelongsToItsOwnerAndIsGoneAfterwards() throws IOException {
        try (var _ = ControlServer.open(home.controlSocket(), new FakeAgent())) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home.controlSocket()))).isEqualTo("rw-------");
        }

        assertThat(home.controlSocket()).doesNotExist();
        assertThat(ControlClient.connect(home)).isEmpty();
    }

    @Test
    void aSocketThatADeadAgentLeftIsReplaced() throws IOException {
        ControlSocket.bind(home.controlSocket()).close();
        assertThat(home.controlSocket()).exists();
        assertThat(ControlClient.connect(home)).isEmpty();

        try (var _ = ControlServer.open(home.controlSocket(), new FakeAgent()); var client = ControlClient.connect(home).orElseThrow()) {
            assertThat(client.status().state()).isEqualTo("ready");
        }
    }

    @Test
    void aHomeWhosePathIsTooLongForASocketWorksToo() {
        var deep = new AgentHome(directory.resolve("d".repeat(60)).resolve("e".repeat(60)), directory.resolve("cache")).create();

        try (var _ = ControlServer.open(deep.controlSocket(), new FakeAgent()); var client = ControlClient.connect(deep).orElseThrow()) {
            assertThat(client.status()).isEqualTo(REPORT);
            assertThat(deep.controlSocket()).exists();
        }
    }

    @Test
    void stopTellsHowManyRequestsAreLeftUntilTheAgentCloses() {
        var agent = new FakeAgent();
        var news = new ArrayList<Integer>();
        try (var server = ControlServer.open(home.controlSocket(), agent); var client = ControlClient.connect(home).orElseThrow()) {
            client.stop(Duration.ofSeconds(7), requests -> {
                news.add(requests);
                agent.closing.countDown();
                Thread.ofVirtual().start(server::close);
            });
        }

        assertThat(agent.stopTimeout.get()).isEqualTo(Duration.ofSeconds(7));
        assertThat(news).startsWith(3);
    }

    @Test
    void aModelIsCalibratedAnewAndTheReportFollows() {
        var agent = new FakeAgent();
        try (var _ = ControlServer.open(home.controlSocket(), agent); var client = ControlClient.connect(home).orElseThrow()) {
            assertThat(client.calibrate("demo")).isEqualTo(REPORT);
            assertThatThrownBy(() -> client.calibrate("other")).isInstanceOf(AgentException.class).hasMessage("the agent serves demo");
            assertThat(client.status()).isEqualTo(REPORT);
        }

        assertThat(agent.calibrated).containsExactly("demo");
    }

    @Test
    void anAccountThatHasChangedIsToldAnewByTheRunningAgent() {
        var agent = new FakeAgent();
        assertThat(AccountLink.tellAgent(home)).isEqualTo(AccountLink.Registration.NONE);

        try (var _ = ControlServer.open(home.controlSocket(), agent)) {
            assertThat(AccountLink.tellAgent(home)).isEqualTo(AccountLink.Registration.ANEW);
        }

        assertThat(agent.registrations).hasValue(1);
    }

    @Test
    void aLineThatIsNoneEndsOnlyItsOwnConnection() throws IOException {
        try (var _ = ControlServer.open(home.controlSocket(), new FakeAgent())) {
            for (String garbage : List.of("nonsense\n", "[1]\n", "x".repeat(70_000))) {
                try (var raw = ControlSocket.connect(home.controlSocket())) {
                    write(raw, garbage);
                    assertThat(Channels.newInputStream(raw).read()).isEqualTo(-1);
                }
            }
            try (var client = ControlClient.connect(home).orElseThrow()) {
                assertThat(client.status()).isEqualTo(REPORT);
            }
        }
    }

    @Test
    void whatTheAgentDoesNotKnowIsRefusedInWords() throws IOException {
        try (var _ = ControlServer.open(home.controlSocket(), new FakeAgent()); var raw = ControlSocket.connect(home.controlSocket())) {
            raw.write(ByteBuffer.wrap("{\"type\":\"dance\"}\n".getBytes(StandardCharsets.UTF_8)));

            var answer = new java.io.BufferedReader(new java.io.InputStreamReader(Channels.newInputStream(raw), StandardCharsets.UTF_8)).readLine();

            assertThat(ControlCodec.reply(answer)).isInstanceOfSatisfying(ControlReply.Refused.class,
                    refused -> assertThat(refused.message()).contains("dance"));
        }
    }

    @Test
    void aDefectOfOneAnswerIsToldAndTheConnectionGoesOn() {
        var agent = new FakeAgent();
        try (var _ = ControlServer.open(home.controlSocket(), agent); var client = ControlClient.connect(home).orElseThrow()) {
            agent.defect.set(new IllegalStateException("words that nobody outside needs"));
            assertThatThrownBy(client::status).hasMessageContaining("could not answer: IllegalStateException").hasMessageNotContaining("nobody outside");
            agent.defect.set(new AgentException(ErrorCode.LOGIN_FAILED, "the file is damaged"));
            assertThatThrownBy(client::reregister).isInstanceOf(AgentException.class).hasMessage("the file is damaged");

            agent.defect.set(null);
            assertThat(client.status()).isEqualTo(REPORT);
        }
    }

    @Test
    void anAgentThatEndsWhileItIsAskedIsNotRunning() {
        var server = ControlServer.open(home.controlSocket(), new FakeAgent());
        try (var client = ControlClient.connect(home).orElseThrow()) {
            client.status();
            server.close();

            assertThatThrownBy(client::status).isInstanceOf(AgentException.class).hasMessageContaining("ended");
        }
    }

    @Test
    void theReportsJsonHasStableNames() {
        assertThat(REPORT.toJson()).contains("\"state\" : \"ready\"", "\"uptime_seconds\" : 61", "\"decode_tokens_per_second\" : 456.7",
                "\"budget_bytes\" : 10737418240", "\"base_url\" : \"http://127.0.0.1:8000/v1\"", "\"last_error\" : \"needs 9 bytes\"");
    }

    private static void write(java.nio.channels.SocketChannel channel, String text) {
        try {
            channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        } catch (IOException _) {
            // The server may hang up before it has read everything.
            assertThat(channel.isOpen()).isTrue();
        }
    }

    private static final class FakeAgent implements ControlServer.Handler {
        final AtomicReference<Duration> stopTimeout = new AtomicReference<>();
        final List<String> calibrated = new CopyOnWriteArrayList<>();
        final AtomicInteger registrations = new AtomicInteger();
        final AtomicReference<RuntimeException> defect = new AtomicReference<>();
        final CountDownLatch closing = new CountDownLatch(1);

        @Override
        public StatusReport status() {
            if (defect.get() != null) {
                throw defect.get();
            }
            return REPORT;
        }

        @Override
        public void stop(Duration timeout) {
            stopTimeout.set(timeout);
        }

        @Override
        public void calibrate(String model) {
            if (!model.equals("demo")) {
                throw new AgentException(ErrorCode.UNKNOWN_MODEL, "the agent serves demo");
            }
            calibrated.add(model);
        }

        @Override
        public void reregister() {
            registrations.incrementAndGet();
        }

        @Override
        public int requestsInFlight() {
            return 3;
        }

        @Override
        public boolean awaitClosing(Duration patience) throws InterruptedException {
            return closing.await(patience.toMillis(), TimeUnit.MILLISECONDS);
        }
    }
}
