package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.service.control.ControlClient;
import dev.darkbloom.agent.service.local.Benchmark;
import dev.darkbloom.agent.service.local.BenchmarkReport;
import dev.darkbloom.agent.service.local.ChatMessage;
import dev.darkbloom.agent.service.local.LocalClient;
import dev.darkbloom.agent.service.local.LocalEndpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole agent in this process, on the demo model. */
@Tag("model")
class AgentRuntimeTest {
    @TempDir
    Path directory;

    private final StopSignal stop = new StopSignal();
    private final News news = new News();
    private AgentHome home;
    private Thread main;

    @BeforeEach
    void nameTheHome() {
        home = new AgentHome(directory.resolve("home"), directory.resolve("cache"));
    }

    @AfterEach
    void endTheAgent() throws InterruptedException {
        stop.request(Duration.ZERO);
        if (main != null) {
            assertThat(main.join(Duration.ofSeconds(30))).as("the agent has ended").isTrue();
        }
    }

    @Test
    void fromStartToStopEverythingAppearsAndGoesAgain() throws Exception {
        start(options("demo"));

        assertThat(news.lines).contains("loaded demo 4 slots 512 tokens", "ready " + endpoint().baseUrl());
        assertThat(endpoint().key().reveal()).isEqualTo(Files.readString(home.localToken()).strip());
        try (var control = ControlClient.connect(home).orElseThrow()) {
            var status = control.status();
            assertThat(status.state()).isEqualTo("ready");
            assertThat(status.mode()).isEqualTo("local");
            assertThat(status.endpoint().orElseThrow().baseUrl()).isEqualTo(endpoint().baseUrl());
            assertThat(status.models()).singleElement().satisfies(model -> {
                assertThat(model.state()).isEqualTo("ready");
                assertThat(model.slots()).isEqualTo(4);
            });
            assertThat(status.memory().reservedBytes()).isPositive();

            control.stop(Duration.ofSeconds(10), _ -> { });
        }

        main.join();
        assertThat(home.discoveryRecord()).doesNotExist();
        assertThat(home.controlSocket()).doesNotExist();
        assertThat(HomeLock.holder(home)).isEmpty();
        assertThat(home.logFile()).content().contains("state loading -> ready", "state draining -> stopped");
    }

    @Test
    void aConversationIsAnsweredWithCountsAndRates() throws Exception {
        start(options("demo"));
        var answer = new StringBuilder();

        try (var client = new LocalClient(endpoint())) {
            assertThat(client.models()).containsExactly("demo");
            var stats = client.chat("demo", List.of(new ChatMessage(ChatMessage.Role.USER, "Hello")), OptionalInt.empty(), answer::append);

            assertThat(answer).isNotEmpty();
            assertThat(stats.finishReason()).isEqualTo("stop");
            assertThat(stats.generatedTokens()).isPositive();
            assertThat(stats.promptTokens()).isGreaterThan(stats.cachedTokens());
            assertThat(stats.decodeTokensPerSecond()).isPositive();
        }
    }

    @Test
    void aBenchmarkMeasuresEachNumberOfStreams() throws Exception {
        start(options("demo"));

        try (var client = new LocalClient(endpoint())) {
            var plan = new Benchmark.Plan("demo", 40, 8, 2, List.of(1, 3));
            var report = BenchmarkReport.of(home, plan, new Benchmark(client, plan).run(_ -> { }));

            assertThat(report.rows()).extracting(Benchmark.Row::streams).containsExactly(1, 3);
            assertThat(report.rows()).allSatisfy(row -> {
                assertThat(row.promptTokens()).isBetween(20, 80);
                assertThat(row.decodeTokensPerSecond().min()).isPositive();
                assertThat(row.prefillTokensPerSecond().median()).isBetween(row.prefillTokensPerSecond().min(), row.prefillTokensPerSecond().max());
            });
            assertThat(report.toJson()).contains("\"decode_tokens_per_second\"", "\"slots\" : 4");
        }
    }

    @Test
    void aSecondAgentInTheSameHomeIsRefusedAndTheFirstGoesOn() throws Exception {
        start(options("demo"));

        assertThatThrownBy(() -> AgentRuntime.start(options("demo"), new StopSignal(), StartNews.NONE))
                .isInstanceOf(AgentException.class)
                .extracting(e -> ((AgentException) e).code()).isEqualTo(ErrorCode.ALREADY_RUNNING);

        try (var control = ControlClient.connect(home).orElseThrow()) {
            assertThat(control.status().state()).isEqualTo("ready");
        }
    }

    @Test
    void anUnknownModelEndsTheStartAndLeavesNothing() {
        assertThatThrownBy(() -> AgentRuntime.start(options("demoo"), stop, news))
                .isInstanceOf(AgentException.class)
                .hasMessage("no model demoo; did you mean demo?");

        assertThat(home.controlSocket()).doesNotExist();
        assertThat(home.discoveryRecord()).doesNotExist();
        assertThat(HomeLock.holder(home)).isEmpty();
        assertThat(home.logFile()).content().contains("state starting -> stopped");
    }

    @Test
    void aFileThatIsNoModelEndsTheStartWithItsProblem() throws IOException {
        Path file = Files.writeString(directory.resolve("fake.gguf"), "no model at all");

        assertThatThrownBy(() -> AgentRuntime.start(options(file.toString()), stop, news))
                .isInstanceOf(AgentException.class)
                .extracting(e -> ((AgentException) e).code()).isEqualTo(ErrorCode.MODEL_INVALID);
    }

    @Test
    void aPortThatIsTakenEndsTheStartBeforeModelsAreLoaded() throws IOException {
        try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var options = with(options("demo"), ConfigKey.LOCAL_PORT, Integer.toString(taken.getLocalPort()));

            assertThatThrownBy(() -> AgentRuntime.start(options, stop, news))
                    .isInstanceOf(AgentException.class)
                    .hasMessageContaining("pid " + ProcessHandle.current().pid())
                    .extracting(e -> ((AgentException) e).code()).isEqualTo(ErrorCode.PORT_IN_USE);
        }
        assertThat(news.lines).isEmpty();
    }

    @Test
    void withoutPreloadTheFirstRequestLoads() throws Exception {
        start(with(options("demo"), ConfigKey.STARTUP_PRELOAD, "false"));
        try (var control = ControlClient.connect(home).orElseThrow(); var client = new LocalClient(endpoint())) {
            assertThat(control.status().models().getFirst().state()).isEqualTo("unloaded");

            client.chat("demo", List.of(new ChatMessage(ChatMessage.Role.USER, "Hello")), OptionalInt.of(3), _ -> { });

            assertThat(control.status().models().getFirst().state()).isEqualTo("ready");
        }
    }

    @Test
    void aModelThatDoesNotFitLeavesTheAgentUpInANamedState() throws Exception {
        start(with(options("demo"), ConfigKey.MEMORY_RESERVE, "1024"));

        try (var control = ControlClient.connect(home).orElseThrow()) {
            assertThat(control.status().state()).isEqualTo("needs-model");
            assertThat(control.status().models().getFirst().lastError().orElseThrow()).contains("bytes");
        }
        assertThat(news.lines).anyMatch(line -> line.startsWith("postponed demo") && line.contains("provider.memory_reserve_gb"));
    }

    @Test
    void aModelIsCalibratedOnDemandAndServesAfterwards() throws Exception {
        start(with(options("demo"), ConfigKey.CALIBRATION, "auto"));

        try (var control = ControlClient.connect(home).orElseThrow(); var client = new LocalClient(endpoint())) {
            var compute = control.calibrate("demo").models().getFirst().compute().orElseThrow();

            // On a machine that does other things, too, it may find noise; it does not wait for another moment.
            assertThat(compute.calibration()).isIn("measured", "kept");
            assertThat(compute.threads()).as("what the owner has set").isOne();
            assertThat(compute.calibration().equals("kept") || Files.exists(home.calibrations())).as("what was measured is kept").isTrue();
            assertThat(client.chat("demo", List.of(new ChatMessage(ChatMessage.Role.USER, "Hello")), OptionalInt.of(3), _ -> { })
                    .generatedTokens()).isPositive();
        }
    }

    @Test
    void whereCalibrationIsOffItSaysSoInsteadOfMeasuring() throws Exception {
        start(options("demo"));

        try (var control = ControlClient.connect(home).orElseThrow()) {
            assertThat(control.status().models().getFirst().compute()).hasValueSatisfying(compute -> {
                assertThat(compute.calibration()).isEqualTo("off");
                assertThat(compute.reason()).contains("backend.calibration is off");
            });
            assertThatThrownBy(() -> control.calibrate("demo")).isInstanceOf(AgentException.class)
                    .hasMessage("model demo is not calibrated: backend.calibration is off");
        }
        assertThat(home.calibrations()).doesNotExist();
    }

    @Test
    void anOpenEndpointHasToBeMeant() {
        var open = new StartOptions(home, home.configFile(), options("demo").values()
                .with(ConfigAddress.of(ConfigKey.LOCAL_BIND), "0.0.0.0", "test"), List.of("demo"), false, false, false);

        assertThatThrownBy(() -> AgentRuntime.start(open, stop, news))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("--i-understand-open-endpoint");
    }

    @Test
    void stopWithoutPatienceCancelsWhatRuns() throws Exception {
        start(options("demo"));
        var asked = CompletableFuture.supplyAsync(() -> {
            try (var client = new LocalClient(endpoint())) {
                return client.chat("demo", List.of(new ChatMessage(ChatMessage.Role.USER, "Count without end.")), OptionalInt.of(400),
                        _ -> stop.request(Duration.ZERO));
            }
        });

        assertThat(main.join(Duration.ofSeconds(30))).isTrue();
        assertThat(asked.handle((stats, failure) -> stats != null || failure != null).get(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void filesInTheHomeBelongToTheirOwner() throws Exception {
        start(options("demo"));

        try (var files = Files.walk(home.root())) {
            assertThat(files.toList()).allSatisfy(file -> assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                    .as(file.toString()).isEqualTo(Files.isDirectory(file) ? "rwx------" : "rw-------"));
        }
    }

    private LocalEndpoint endpoint() {
        return LocalEndpoint.require(home);
    }

    private StartOptions options(String model) {
        ConfigValues values = ConfigValues.DEFAULTS
                .with(ConfigAddress.of(ConfigKey.LOCAL_PORT), "0", "test")
                .with(ConfigAddress.of(ConfigKey.PARALLEL), "4", "test")
                .with(ConfigAddress.of(ConfigKey.CONTEXT_LENGTH), "512", "test")
                // Threads that wait for each other are slow on a machine whose cores are taken.
                .with(ConfigAddress.of(ConfigKey.THREADS), "1", "test")
                .with(ConfigAddress.of(ConfigKey.CALIBRATION), "off", "test")
                .with(ConfigAddress.of(ConfigKey.MEMORY_RESERVE), "0", "test");
        return new StartOptions(home, home.configFile(), values, List.of(model), false, true, false);
    }

    private static StartOptions with(StartOptions options, ConfigKey<?> key, String value) {
        return new StartOptions(options.home(), options.configFile(), options.values().with(ConfigAddress.of(key), value, "test"),
                options.models(), options.allModels(), options.requiresKey(), options.acceptsOpenEndpoint());
    }

    /** Starts the agent on a thread of its own, which serves and closes it, and waits until it answers. */
    private void start(StartOptions options) throws Exception {
        var ready = new CompletableFuture<Void>();
        main = Thread.ofPlatform().name("agent-main").start(() -> {
            try (var agent = AgentRuntime.start(options, stop, news)) {
                ready.complete(null);
                agent.serve();
            } catch (Throwable t) {
                ready.completeExceptionally(t);
            }
        });
        ready.get(60, TimeUnit.SECONDS);
    }

    private static final class News implements StartNews {
        final List<String> lines = new ArrayList<>();

        @Override
        public void loaded(String modelId, Duration took, int slots, int contextTokens) {
            lines.add("loaded " + modelId + " " + slots + " slots " + contextTokens + " tokens");
        }

        @Override
        public void postponed(String modelId, String reason) {
            lines.add("postponed " + modelId + " " + reason);
        }

        @Override
        public void ready(String baseUrl) {
            lines.add("ready " + baseUrl);
        }
    }
}
