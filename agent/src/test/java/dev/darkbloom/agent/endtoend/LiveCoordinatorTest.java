package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.testing.SdkPrograms;
import dev.darkbloom.agent.testing.TapReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Agents against a real coordinator, which {@code COORDINATOR_BIN} names, asked through the official SDKs ({@code src/test/sdk/live.mjs}).
 *
 * <p>That coordinator listens on all interfaces, so everything runs in a network namespace of its own. Run by {@code COORDINATOR_BIN=FILE mvn verify
 * -Dtags.of.verify=live}.
 */
@Tag("live")
class LiveCoordinatorTest {
    private static final int LIMIT_MINUTES = 20;

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> theCasesOfTheProgram() throws Exception {
        String binary = System.getenv().getOrDefault("COORDINATOR_BIN", "");
        assumeTrue(!binary.isEmpty(), "COORDINATOR_BIN names no coordinator: nothing was tried against a real one");
        assumeTrue(Files.isExecutable(Path.of(binary)), binary + " is not a program");
        Optional<List<String>> apart = namespace();
        assumeTrue(apart.isPresent(), "no network namespace can be made here (unshare -n, unshare -rn)");
        Path programs = SdkPrograms.installed();

        var command = new ArrayList<>(apart.get());
        command.addAll(List.of("sh", "-c", "ip link set lo up && exec node --test --test-reporter=tap --test-timeout=1100000 live.mjs"));
        Path output = folder.resolve("live.tap");
        var builder = new ProcessBuilder(command).directory(programs.toFile()).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().put("COORDINATOR_BIN", binary);
        builder.environment().put("DARKBLOOM_AGENT_COMMAND", new ObjectMapper().writeValueAsString(AgentProcess.command()));
        builder.environment().put("TMPDIR", folder.toString());
        Process process = builder.start();
        int code;
        try {
            assertThat(process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)).as("ended in time: %s", Files.readString(output)).isTrue();
            code = process.exitValue();
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }

        TapReport report = TapReport.read(Files.readString(output), code);
        Stream<DynamicTest> whole = Stream.of(DynamicTest.dynamicTest("runs to its end", () -> assertThat(report.isWhole()).as(report.text()).isTrue()));
        return Stream.concat(whole, report.cases().stream().map(each -> DynamicTest.dynamicTest(each.name(),
                () -> assertThat(each.passed()).as(each.diagnosis()).isTrue())));
    }

    private static Optional<List<String>> namespace() throws IOException, InterruptedException {
        for (List<String> way : List.of(List.of("unshare", "-n"), List.of("unshare", "-rn"))) {
            var probe = new ArrayList<>(way);
            probe.addAll(List.of("sh", "-c", "ip link set lo up"));
            try {
                if (new ProcessBuilder(probe).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0) {
                    return Optional.of(way);
                }
            } catch (IOException e) {
                return Optional.empty(); // no unshare on this system
            }
        }
        return Optional.empty();
    }
}
