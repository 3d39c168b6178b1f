package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.darkbloom.agent.api.ApiServer;
import dev.darkbloom.agent.api.ApiServices;
import dev.darkbloom.agent.api.ApiSettings;
import dev.darkbloom.agent.api.ModelCards;
import dev.darkbloom.agent.api.PropsSource;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.SdkPrograms;
import dev.darkbloom.agent.testing.SdkPrograms.Target;
import dev.darkbloom.agent.testing.TapReport;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Programs that use the official SDKs as they come from npm, against a running agent. */
class SdkProgramsTest {
    @TempDir
    Path folder;

    private AutoCloseable running;

    @AfterEach
    void stop() throws Exception {
        if (running != null) {
            running.close();
        }
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> programsOnTheDemoModel() throws IOException, InterruptedException {
        return programs(SdkPrograms.names(), start("demo", List.of(), "--model", "demo", "--threads", "1"));
    }

    @TestFactory
    @Tag("realmodel")
    Stream<DynamicContainer> programsOnSmolLm2() throws IOException, InterruptedException {
        Path file = TestModels.smollm2();
        String id = file.getFileName().toString().replaceFirst("\\.gguf$", "");
        return programs(SdkPrograms.names(), start(id, List.of(), "--model", file.toString(), "--ctx-size", "2048", "--parallel", "4"));
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> aFullAgent() throws IOException {
        Path config = folder.resolve("full.toml");
        Files.writeString(config, "[backend]\ncalibration = \"off\"\nqueue_limit = 1\n");
        return programs(List.of("full.mjs"),
                start("demo", List.of("--config", config.toString()), "--model", "demo", "--threads", "1", "--parallel", "1"));
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> anAgentThatStops() throws IOException {
        return programs(List.of("drain.mjs"), start("demo", List.of(), "--model", "demo", "--threads", "1", "--parallel", "1"));
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> modelsThatWriteNoText() throws IOException {
        Path encoder = TinyModels.embedding(3).write(folder.resolve("tiny-encoder.gguf"));
        Path ranker = TinyModels.ranking(3).write(folder.resolve("tiny-ranker.gguf"));
        return programs(List.of("vectors.mjs"), start("tiny-encoder", List.of(), "--model", encoder.toString(), "--model", ranker.toString(),
                "--model", "demo", "--threads", "1"));
    }

    /** A real model cannot be made to fail, so this one is scripted; what lies before and behind it is the agent's own. */
    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> aModelThatFails() {
        var pool = new FakeModelPool(new ManualClock(), "demo");
        pool.answers(new Script(new int[] {'H', 'i'}, 1, 0, new Outcome.Failed(new AgentException(ErrorCode.GENERATION_FAILED, "scripted"))));
        var completions = new Completions(pool, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
        ApiServer server = ApiServer.open(ApiSettings.of("127.0.0.1", 0, Optional.of(new Redacted("key"))),
                new ApiServices(completions::run, pool, ModelCards.NONE, PropsSource.NONE, new PrometheusMeterRegistry(PrometheusConfig.DEFAULT)));
        running = server;
        return programs(List.of("failing.mjs"), new Target(server.port(), "key", "demo", ProcessHandle.current().pid()));
    }

    private Target start(String model, List<String> globalOptions, String... arguments) throws IOException {
        AgentProcess agent = AgentProcess.start(folder, globalOptions, arguments);
        running = agent;
        return new Target(agent.port(), agent.key(), model, agent.pid());
    }

    private static Stream<DynamicContainer> programs(List<String> programs, Target target) {
        return programs.stream().map(program -> cases(program, SdkPrograms.run(program, target)));
    }

    /** One test per case of the program, and one that fails if the program broke instead of reporting. */
    private static DynamicContainer cases(String program, TapReport report) {
        Stream<DynamicTest> whole = Stream.of(DynamicTest.dynamicTest("runs to its end",
                () -> assertThat(report.isWhole()).as("exit code %d: %s", report.exitCode(), report.text()).isTrue()));
        Stream<DynamicTest> cases = report.cases().stream().map(each -> DynamicTest.dynamicTest(each.name(), () -> {
            assumeTrue(each.skipped().isEmpty(), each.skipped());
            assertThat(each.passed()).as("%s: %s%n%s", program, each.name(), each.diagnosis()).isTrue();
        }));
        return DynamicContainer.dynamicContainer(program, Stream.concat(whole, cases));
    }
}
