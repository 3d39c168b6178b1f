package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code scripts/darkbloom-agent} in a source tree of a few files, with a Maven that only says that it was called. */
@Timeout(60)
class SourceLauncherTest {
    private static final Path PROJECT = Path.of(System.getProperty("darkbloom.project.root"));
    private static final Instant BEGAN = Instant.parse("2026-11-29T12:00:00Z");

    @TempDir
    Path directory;

    private Path root;
    private Path target;
    private Path source;
    private Path called;

    private record Result(int exitCode, String out) {}

    @BeforeEach
    void layOutATree() throws IOException {
        root = Files.createDirectory(directory.resolve("tree"));
        target = root.resolve("packaging/target");
        called = directory.resolve("called");
        source = write("agent/src/main/java/A.java", "class A {}", BEGAN.minusSeconds(60));
        write("pom.xml", "<project/>", BEGAN.minusSeconds(60));
        program("scripts/darkbloom-agent", Files.readString(PROJECT.resolve("scripts/darkbloom-agent")));
        program("scripts/find-jdk", "#!/usr/bin/env bash\n");
        for (String file : new String[] {"scripts/find-jdk", "scripts/darkbloom-agent"}) {
            Files.setLastModifiedTime(root.resolve(file), FileTime.from(BEGAN.minusSeconds(60)));
        }
        maven("touch '" + target.resolve("built") + "'");
    }

    @Test
    void aFinishedBuildOfMavensIsNotBuiltAgain() throws Exception {
        image();
        write("packaging/target/built", "", BEGAN);

        assertThat(run()).isEqualTo(new Result(0, "the agent\n"));
        assertThat(called).doesNotExist();
    }

    @Test
    void whatIsNewerThanTheBuildBeganIsBuiltOnce() throws Exception {
        image();
        write("packaging/target/built", "", BEGAN);
        Files.setLastModifiedTime(source, FileTime.from(BEGAN.plusSeconds(1)));

        assertThat(run().out()).isEqualTo("darkbloom-agent: sources have changed; building\ndarkbloom-agent: built\nthe agent\n");
        assertThat(run().out()).isEqualTo("the agent\n");
        assertThat(called).content().isEqualTo("-q -B -DskipTests package\n");
        assertThat(target).isDirectoryNotContaining("glob:**/building").isDirectoryNotContaining("glob:**/begun*");
    }

    @Test
    void aBuildThatFailsIsToldAndTriedAgain() throws Exception {
        image();
        maven("echo 'no such thing'; exit 1");

        Result result = run();

        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.out()).contains("no such thing", "the build failed").doesNotContain("the agent");
        assertThat(target).isDirectoryNotContaining("glob:**/building").isDirectoryNotContaining("glob:**/built");
    }

    @Test
    void aCallThatIsKilledWhileItBuildsEndsMavenAndLeavesNothing() throws Exception {
        Path pid = directory.resolve("pid");
        maven("echo $$ >'" + pid + ".new'; mv '" + pid + ".new' '" + pid + "'; exec sleep 600");
        Process launcher = start();
        try {
            Awaitility.await().until(() -> Files.exists(pid));
            ProcessHandle maven = ProcessHandle.of(Long.parseLong(Files.readString(pid).strip())).orElseThrow();

            launcher.destroy();

            assertThat(launcher.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(launcher.exitValue()).isEqualTo(143);
            Awaitility.await().until(() -> !maven.isAlive());
            assertThat(target).isDirectoryNotContaining("glob:**/building").isDirectoryNotContaining("glob:**/begun*")
                    .isDirectoryNotContaining("glob:**/built");
        } finally {
            launcher.descendants().forEach(ProcessHandle::destroyForcibly);
            launcher.destroyForcibly().waitFor();
        }
    }

    /** What a build lays out: a launcher that says that it was called. */
    private void image() throws IOException {
        program("packaging/target/darkbloom-agent/bin/darkbloom-agent", "#!/usr/bin/env bash\necho the agent\n");
        program("packaging/target/darkbloom-agent/bin/make-aot-cache", "#!/usr/bin/env bash\n");
    }

    private void maven(String does) throws IOException {
        program("../bin/mvn", "#!/usr/bin/env bash\necho \"$@\" >>'" + called + "'\n" + does + "\n");
    }

    private Path program(String name, String text) throws IOException {
        Path file = write(name, text, BEGAN.minusSeconds(60));
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Path write(String name, String text, Instant changed) throws IOException {
        Path file = root.resolve(name).normalize();
        Files.createDirectories(file.getParent());
        return Files.setLastModifiedTime(Files.writeString(file, text), FileTime.from(changed));
    }

    private Process start() throws IOException {
        var builder = new ProcessBuilder(root.resolve("scripts/darkbloom-agent").toString(), "status").redirectErrorStream(true);
        builder.environment().put("PATH", directory.resolve("bin") + ":" + builder.environment().get("PATH"));
        builder.environment().remove("DARKBLOOM_AGENT_NO_BUILD");
        return builder.start();
    }

    private Result run() throws IOException, InterruptedException {
        Process launcher = start();
        String out = new String(launcher.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(launcher.waitFor(), out);
    }
}
