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
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Agents, and clients that speak the protocol themselves, against a real coordinator ({@code src/test/sdk/live*.mjs}).
 *
 * <p>With {@code COORDINATOR_BIN}, a coordinator's program, the programs start coordinators with the settings that their cases need. Those listen
 * on all interfaces, so each program runs in a network namespace of its own, side by side with the others.
 *
 * <p>With {@code COORDINATOR_URL}, a coordinator that runs already, and {@code COORDINATOR_KEY}, a consumer's key of it that has some money, no
 * namespace is made, and what needs other settings of the coordinator, its end or a session at its console is skipped with a line each. The programs
 * run one after another there, and use ids of its catalogue that nobody serves. Only a coordinator on this machine is told what an eligible Mac would
 * say; towards others the agent says what it measures, and where that lets no request come, the requests are skipped.
 *
 * <p>Run by {@code COORDINATOR_BIN=FILE mvn verify -Dtags.of.verify=live}. It lasts as long as the second challenge, which comes 300 s after the
 * first.
 */
@Tag("live")
class LiveCoordinatorTest {
    /** Of one program; a busy machine is given its time. */
    private static final int LIMIT_MINUTES = 20;
    private static final List<String> PROGRAMS = List.of("live.mjs", "live-agent-gates.mjs", "live-gates.mjs");

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicContainer> theCasesOfThePrograms() throws Exception {
        String url = System.getenv().getOrDefault("COORDINATOR_URL", "");
        return url.isEmpty() ? withCoordinatorsOfTheirOwn() : withTheCoordinatorAt(url);
    }

    private Stream<DynamicContainer> withCoordinatorsOfTheirOwn() throws IOException, InterruptedException {
        String binary = System.getenv().getOrDefault("COORDINATOR_BIN", "");
        assumeTrue(!binary.isEmpty(), "neither COORDINATOR_BIN nor COORDINATOR_URL names a coordinator: nothing was tried against a real one");
        assumeTrue(Files.isExecutable(Path.of(binary)), binary + " is not a program");
        Optional<List<String>> apart = namespace();
        assumeTrue(apart.isPresent(), "no network namespace can be made here (unshare -n, unshare -rn)");
        Path programs = SdkPrograms.installed(); // before there is no network
        var running = new ArrayList<Running>();
        try {
            for (String program : PROGRAMS) {
                var command = new ArrayList<>(apart.get());
                command.addAll(List.of("sh", "-c", "ip link set lo up && exec \"$@\"", "sh"));
                command.addAll(node(program));
                running.add(start(program, command, programs));
            }
            var containers = new ArrayList<DynamicContainer>();
            for (Running each : running) {
                containers.add(each.cases());
            }
            return containers.stream();
        } finally {
            running.forEach(Running::end);
        }
    }

    /** One after another: each takes ids of the catalogue that nobody serves. */
    private Stream<DynamicContainer> withTheCoordinatorAt(String url) throws IOException, InterruptedException {
        assumeTrue(!System.getenv().getOrDefault("COORDINATOR_KEY", "").isEmpty(), "COORDINATOR_KEY holds no consumer's key for " + url);
        Path programs = SdkPrograms.installed();
        var containers = new ArrayList<DynamicContainer>();
        for (String program : PROGRAMS) {
            Running running = start(program, node(program), programs);
            try {
                containers.add(running.cases());
            } finally {
                running.end();
            }
        }
        return containers.stream();
    }

    private static List<String> node(String program) {
        return List.of("node", "--test", "--test-reporter=tap", "--test-timeout=" + TimeUnit.MINUTES.toMillis(LIMIT_MINUTES - 1), program);
    }

    private Running start(String program, List<String> command, Path programs) throws IOException {
        Path output = folder.resolve(program + ".tap");
        var builder = new ProcessBuilder(command).directory(programs.toFile()).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().put("DARKBLOOM_AGENT_COMMAND", new ObjectMapper().writeValueAsString(AgentProcess.command()));
        builder.environment().put("TMPDIR", folder.toString());
        return new Running(program, builder.start(), output);
    }

    /** A program under way, and where its report is written. */
    private record Running(String program, Process process, Path output) {
        /** Waits for its end and returns a test per case, and one that fails if the program broke instead of reporting. */
        DynamicContainer cases() throws IOException, InterruptedException {
            boolean ended = process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES);
            TapReport report = TapReport.read(Files.readString(output), ended ? process.exitValue() : -1);
            Stream<DynamicTest> whole = Stream.of(DynamicTest.dynamicTest("runs to its end", () -> {
                assertThat(ended).as("ended within %d minutes: %s", LIMIT_MINUTES, report.text()).isTrue();
                assertThat(report.isWhole()).as("exit code %d: %s", report.exitCode(), report.text()).isTrue();
            }));
            Stream<DynamicTest> cases = report.cases().stream().map(each -> DynamicTest.dynamicTest(each.name(), () -> {
                assumeTrue(each.skipped().isEmpty(), each.name() + ": " + each.skipped());
                assertThat(each.passed()).as("%s: %s%n%s", program, each.name(), each.diagnosis()).isTrue();
            }));
            return DynamicContainer.dynamicContainer(program, Stream.concat(whole, cases));
        }

        /** Leaves no process behind. */
        void end() {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
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
