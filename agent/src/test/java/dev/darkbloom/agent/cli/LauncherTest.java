package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.LauncherImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packaged launcher and the processes it starts, in an image laid out as packaging does it. */
@Tag("slow")
class LauncherTest {
    private static final Path PROJECT = Path.of(System.getProperty("darkbloom.project.root"));
    private static final int PATIENCE_SECONDS = 120;

    @TempDir
    static Path image;

    @TempDir
    Path directory;

    private static Path launcher;
    private final List<Process> started = new ArrayList<>();

    private record Result(int exitCode, String out, String err) {}

    @BeforeAll
    static void layOutAnImage() throws IOException {
        launcher = LauncherImage.layOut(image);
    }

    @BeforeEach
    void calibrateNothing() throws IOException {
        Files.createDirectories(directory.resolve("home"));
        Files.writeString(directory.resolve("home/agent.toml"), "[backend]\ncalibration = \"off\"\n");
    }

    @AfterEach
    void endWhatStillRuns() {
        started.forEach(process -> process.destroyForcibly().onExit().join());
    }

    @Test
    void aDayOfAnAgentFromTheShell() throws Exception {
        Process agent = launch("start", "--local", "--model", "demo", "--port", "0", "--threads", "1", "--ctx-size", "512", "--parallel", "2");
        String ready = agent.inputReader(StandardCharsets.UTF_8).readLine();
        assertThat(ready).as("stdout of start").startsWith("ready: http://127.0.0.1:");

        Result status = run("status");
        assertThat(status.exitCode()).isZero();
        assertThat(status.out()).startsWith("state      ready").contains("model      demo  ready");

        Result local = run("local");
        assertThat(local.exitCode()).isZero();
        assertThat(local.out()).contains("base URL   " + ready.substring("ready: ".length()), "dk-local-", "curl ");

        Result chat = run(launcher, "Hello\n/reset\nHello\n/exit\nnot asked\n", "chat");
        assertThat(chat.exitCode()).isZero();
        assertThat(chat.out().lines()).hasSize(2).allSatisfy(line -> assertThat(line).isNotBlank());
        assertThat(chat.err()).contains("tokens/s").doesNotContain("Hello");

        Result second = run("start", "--local", "--model", "demo", "--port", "0");
        assertThat(second.exitCode()).isEqualTo(1);
        assertThat(second.err()).contains("is running (process " + agent.pid() + ")");

        Result stop = run("stop");
        assertThat(stop.exitCode()).isZero();
        assertThat(stop.out()).isEqualToIgnoringNewLines("stopped");
        assertThat(agent.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(agent.exitValue()).isZero();
        assertThat(run("local", "--json").out()).isEqualToIgnoringNewLines("{}");
    }

    @Test
    void sigtermEndsAnAgentGracefully() throws Exception {
        Process agent = launch("start", "--local", "--model", "demo", "--port", "0", "--threads", "1", "--no-auth");
        assertThat(agent.inputReader(StandardCharsets.UTF_8).readLine()).startsWith("ready: ");

        agent.destroy();

        assertThat(agent.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(agent.exitValue()).isZero();
        assertThat(directory.resolve("home/local.json")).doesNotExist();
        assertThat(directory.resolve("home/agent.sock")).doesNotExist();
    }

    @Test
    void afterACrashTheNextStartWorks() throws Exception {
        Process agent = launch("start", "--local", "--model", "demo", "--port", "0", "--threads", "1");
        assertThat(agent.inputReader(StandardCharsets.UTF_8).readLine()).startsWith("ready: ");
        agent.destroyForcibly().onExit().join();
        assertThat(directory.resolve("home/agent.sock")).exists();
        assertThat(run("status").exitCode()).isEqualTo(3);
        assertThat(run("local").exitCode()).isEqualTo(3);

        Process next = launch("start", "--local", "--model", "demo", "--port", "0", "--threads", "1");

        assertThat(next.inputReader(StandardCharsets.UTF_8).readLine()).startsWith("ready: ");
        assertThat(run("stop", "--force").exitCode()).isZero();
    }

    @Test
    void theLauncherIsFoundBehindALinkAndPassesArgumentsAndExitCodes() throws Exception {
        Path link = Files.createSymbolicLink(image.resolve("link"), launcher);

        Result version = run(link, "", "--version");
        Result unknown = run(link, "", "config", "get", "local.port", "two words");

        assertThat(version.exitCode()).isZero();
        assertThat(version.out()).contains("llama.cpp v0.4.0");
        assertThat(version.err()).isEmpty();
        assertThat(unknown.exitCode()).isEqualTo(2);
        assertThat(unknown.err()).contains("'two words'");
    }

    @Test
    void whatWasLearntIsUsedAndPassedOverInSilenceWhereItDoesNotFit() throws Exception {
        Path caches = image.resolve("aot");
        try {
            Result learning = run(image.resolve("bin/make-aot-cache"), "");
            assertThat(learning.exitCode()).isZero();
            assertThat(learning.err()).isEmpty();
            assertThat(caches).isDirectoryContaining("glob:**/serve.aot").isDirectoryContaining("glob:**/ask.aot");

            // With AOTMode=on Java refuses to run without the cache; a running agent's status is the real question.
            Process agent = launchStrictly("start", "--local", "--model", "demo", "--port", "0", "--threads", "1");
            assertThat(agent.inputReader(StandardCharsets.UTF_8).readLine()).startsWith("ready: ");
            Process status = launchStrictly("status");
            assertThat(status.inputReader(StandardCharsets.UTF_8).readLine()).startsWith("state      ready");
            assertThat(run("stop").exitCode()).isZero();

            FileTime learnt = Files.getLastModifiedTime(caches.resolve("java"));
            assertThat(run(image.resolve("bin/make-aot-cache"), "", "--if-stale").exitCode()).isZero();
            assertThat(Files.getLastModifiedTime(caches.resolve("java"))).isEqualTo(learnt);

            Files.write(caches.resolve("ask.aot"), new byte[] {1, 2, 3});
            Result without = run("status");
            assertThat(without.exitCode()).isEqualTo(3);
            assertThat(without.err()).isEmpty();
            Process refused = launchStrictly("status");
            assertThat(refused.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
            assertThat(refused.exitValue()).as("the broken cache was looked at").isEqualTo(1);
        } finally {
            try (Stream<Path> files = Files.list(caches)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(caches);
        }
    }

    @Test
    void variablesThatLoadForeignCodeDoNotReachJava() throws Exception {
        var hostile = Map.of("JAVA_TOOL_OPTIONS", "-Xnonsense", "_JAVA_OPTIONS", "-Xnonsense", "JDK_JAVA_OPTIONS", "-Xnonsense",
                "LD_LIBRARY_PATH", "/nowhere", "DYLD_INSERT_LIBRARIES", "/nowhere/a.dylib", "MTL_CAPTURE_ENABLED", "1",
                "GGML_METAL_NO_RESIDENCY", "1", "OLDLD_HOME", "kept");

        Process agent = launch(hostile, launcher, "start", "--local", "--model", "demo", "--port", "0", "--threads", "1");

        assertThat(agent.inputReader(StandardCharsets.UTF_8).readLine()).as("Java takes none of the nonsense").startsWith("ready: ");
        assertThat(Files.readString(stderr(started.size() - 1))).doesNotContain("Picked up");
        Path environment = Path.of("/proc", Long.toString(agent.pid()), "environ");
        if (Files.exists(environment)) { // Linux
            assertThat(Files.readString(environment).split("\0")).contains("OLDLD_HOME=kept", "GGML_NO_BACKTRACE=1")
                    .noneMatch(variable -> variable.matches("(?s)(LD_|DYLD_|MTL_|METAL_|GGML_METAL|JAVA_TOOL|_JAVA|JDK_JAVA).*"));
        }
        String[] arguments = agent.info().arguments().orElse(new String[] {"-XX:+DisableAttachMechanism"}); // not every system tells
        assertThat(arguments).contains("-XX:+DisableAttachMechanism");
        assertThat(run("stop").exitCode()).isZero();
    }

    @Test
    void optionsForJavaAreTakenOneByOne() throws Exception {
        Process version = launch(Map.of("DARKBLOOM_AGENT_JAVA_OPTIONS", "-showversion  -Xint"), launcher, "--version");

        assertThat(version.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(version.exitValue()).isZero();
        assertThat(Files.readString(stderr(started.size() - 1))).contains("interpreted mode");
    }

    @Test
    void everyScriptParses() throws Exception {
        var scripts = new ArrayList<Path>();
        for (String folder : List.of("scripts", "packaging", ".ci")) {
            try (Stream<Path> files = Files.list(PROJECT.resolve(folder))) {
                files.filter(LauncherTest::isShellScript).forEach(scripts::add);
            }
        }

        assertThat(scripts).isNotEmpty().allSatisfy(script -> {
            var check = new ProcessBuilder("bash", "-n", script.toString()).redirectErrorStream(true).start();
            assertThat(new String(check.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).as(script.toString()).isEmpty();
        });
    }

    private static boolean isShellScript(Path file) {
        try {
            return Files.isRegularFile(file) && Files.isExecutable(file) && Files.readString(file).startsWith("#!/usr/bin/env bash");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Process launch(String... args) throws IOException {
        return launch(launcher, args);
    }

    private Process launchStrictly(String... args) throws IOException {
        return launch(Map.of("DARKBLOOM_AGENT_JAVA_OPTIONS", "-XX:AOTMode=on"), launcher, args);
    }

    private Process launch(Path program, String... args) throws IOException {
        return launch(Map.of(), program, args);
    }

    private Process launch(Map<String, String> environment, Path program, String... args) throws IOException {
        var command = new ArrayList<String>();
        command.add(program.toString());
        command.addAll(List.of(args));
        var builder = new ProcessBuilder(command).directory(directory.toFile()).redirectError(stderr(started.size()).toFile());
        builder.environment().put("DARKBLOOM_AGENT_HOME", directory.resolve("home").toString());
        builder.environment().put("DARKBLOOM_AGENT_CACHE", directory.resolve("cache").toString());
        builder.environment().put("DARKBLOOM_AGENT_JAVA_HOME", System.getProperty("java.home"));
        builder.environment().remove("DARKBLOOM_AGENT_CONFIG");
        builder.environment().putAll(environment);
        Process process = builder.start();
        started.add(process);
        return process;
    }

    private Path stderr(int number) {
        return directory.resolve("stderr-" + number);
    }

    private Result run(String... args) throws Exception {
        return run(launcher, "", args);
    }

    private Result run(Path program, String input, String... args) throws Exception {
        Path err = stderr(started.size());
        Process process = launch(program, args);
        try (var in = process.outputWriter(StandardCharsets.UTF_8)) {
            in.write(input);
        }
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        return new Result(process.exitValue(), out, Files.readString(err));
    }
}
