package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.darkbloom.agent.testing.TestModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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

    private AgentProcess agent;

    @AfterEach
    void stop() {
        if (agent != null) {
            agent.close();
        }
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> programsOnTheDemoModel() throws IOException, InterruptedException {
        agent = AgentProcess.start(folder, "--model", "demo", "--threads", "1");
        return programs().stream().map(program -> cases(program, SdkPrograms.run(program, agent, "demo")));
    }

    @TestFactory
    @Tag("realmodel")
    Stream<DynamicContainer> programsOnSmolLm2() throws IOException, InterruptedException {
        Path file = TestModels.smollm2();
        agent = AgentProcess.start(folder, "--model", file.toString(), "--ctx-size", "2048", "--parallel", "4");
        String model = file.getFileName().toString().replaceFirst("\\.gguf$", "");
        return programs().stream().map(program -> cases(program, SdkPrograms.run(program, agent, model)));
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> aFullAgent() throws IOException {
        Path config = folder.resolve("full.toml");
        Files.writeString(config, "[backend]\ncalibration = \"off\"\nqueue_limit = 1\n");
        agent = AgentProcess.start(folder, List.of("--config", config.toString()), "--model", "demo", "--threads", "1", "--parallel", "1");
        return Stream.of("full.mjs").map(program -> cases(program, SdkPrograms.run(program, agent, "demo")));
    }

    @TestFactory
    @Tag("model")
    Stream<DynamicContainer> anAgentThatStops() throws IOException {
        agent = AgentProcess.start(folder, "--model", "demo", "--threads", "1", "--parallel", "1");
        return Stream.of("drain.mjs").map(program -> cases(program, SdkPrograms.run(program, agent, "demo")));
    }

    private static List<String> programs() throws IOException, InterruptedException {
        try (Stream<Path> files = Files.list(SdkPrograms.installed())) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".test.mjs")).sorted().toList();
        }
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
