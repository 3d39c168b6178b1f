package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.darkbloom.agent.testing.ByteSearch;
import dev.darkbloom.agent.testing.LauncherImage;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An agent that crashes with a person's words in its memory leaves none of them: no core file, no report, nothing in what it printed. */
@Tag("model")
@Tag("slow")
@EnabledOnOs(OS.LINUX) // the process's own memory is read through /proc
class CrashCanaryTest {
    private static final String CANARY = "schafgarbe-7c0ffee";
    private static final int PATIENCE_SECONDS = 60;
    private static final ByteSearch SEARCH = new ByteSearch(CANARY);

    @TempDir
    static Path image;

    @TempDir
    Path folder;

    private static Path launcher;

    @BeforeAll
    static void layOutAnImage() throws IOException {
        launcher = LauncherImage.layOut(image);
    }

    /** SEGV and BUS are what a fault of native code raises, and Java reports; ABRT is what an assertion of llama.cpp's raises. */
    @ParameterizedTest
    @ValueSource(strings = {"SEGV", "BUS", "ABRT"})
    void aCrashLeavesNoWordOfWhatRan(String signal) throws Exception {
        Path output = folder.resolve("output.txt");
        Process agent = null;
        try (var coordinator = FakeCoordinator.open()) {
            agent = start(coordinator.url(), output);
            assumeTrue(Files.isReadable(Path.of("/proc/" + agent.pid() + "/mem")) || !agent.isAlive(), "another user's memory cannot be read");
            Asked asked = coordinator.awaitNode().ask("{\"model\":\"demo\",\"stream\":true,\"max_tokens\":1800,\"ignore_eos\":true,"
                    + "\"messages\":[{\"role\":\"user\",\"content\":\"Repeat after me: " + CANARY + "\"}],\"stop\":[\"" + CANARY + "-stop\"]}");
            asked.awaitChunk();
            assertThat(SEARCH.inProcess(agent.pid()).found()).as("the word is there when it crashes").isNotEmpty();

            assertThat(new ProcessBuilder("kill", "-" + signal, Long.toString(agent.pid())).start().waitFor()).isZero();

            assertThat(agent.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).as("it has ended").isTrue();
            assertThat(agent.exitValue()).as("it has crashed").isGreaterThan(128);
            assertThat(asked.awaitEnd()).as("while the request ran").isInstanceOf(Asked.End.Lost.class);
        } finally {
            if (agent != null) {
                agent.destroyForcibly().waitFor();
            }
        }
        assertThat(Files.readString(output)).as("what it printed, to its end").contains("ready");
        List<String> left = left(agent.pid());
        assertThat(left).as("reports and core files").noneMatch(name -> name.matches("(core|hs_err|replay|java_pid).*|.*\\.(mdmp|hprof|jfr)"));
    }

    private Process start(String url, Path output) throws IOException {
        Path home = Files.createDirectories(folder.resolve("home"));
        Files.writeString(home.resolve("agent.toml"), "[backend]\ncalibration = \"off\"\n[coordinator]\ntest_posture = true\n");
        var builder = new ProcessBuilder(launcher.toString(), "-v", "start", "--coordinator-url", url, "--model", "demo", "--threads", "1")
                .directory(Files.createDirectories(folder.resolve("work")).toFile()).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().put("DARKBLOOM_AGENT_HOME", home.toString());
        builder.environment().put("DARKBLOOM_AGENT_CACHE", folder.resolve("cache").toString());
        builder.environment().put("DARKBLOOM_AGENT_JAVA_HOME", System.getProperty("java.home"));
        builder.environment().put("DARKBLOOM_AGENT_JAVA_OPTIONS", "-Djava.io.tmpdir=" + Files.createDirectories(folder.resolve("tmp")));
        builder.environment().remove("DARKBLOOM_AGENT_CONFIG");
        return builder.start();
    }

    /** Searches every file that the agent may have left, and returns their names; Java writes some to /tmp, whatever it is told. */
    private List<String> left(long pid) throws IOException {
        var names = new ArrayList<String>();
        Stream<Path> shared = Stream.of("hs_err_pid" + pid + ".log", "replay_pid" + pid + ".log", "core." + pid, "core").map(Path.of("/tmp")::resolve);
        try (Stream<Path> ours = Files.walk(folder)) {
            for (Path file : Stream.concat(ours, shared).filter(Files::isRegularFile).toList()) {
                names.add(file.getFileName().toString());
                assertThat(SEARCH.inFile(file)).as("file %s", file).isEmpty();
            }
        }
        return names;
    }
}
