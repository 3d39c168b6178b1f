package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.darkbloom.agent.hardware.ToolResult.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemToolsTest {
    private static final SystemTools PATIENT = new SystemTools(Duration.ofSeconds(60), 1 << 20);

    @TempDir
    Path directory;

    @Test
    void aToolSeesThreeVariablesAndNoneOfOurs() {
        assertThat(PATIENT.run("/usr/bin/env").output().lines())
                .containsExactlyInAnyOrder("PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "LANG=C");
    }

    @Test
    void aToolThatEndsWithAFailureKeepsItsAnswer() {
        ToolResult result = PATIENT.run("/bin/sh", "-c", "echo half; echo trouble >&2; exit 3");

        assertThat(result).isEqualTo(ToolResult.ended(3, "half\n"));
        assertThat(result.text()).contains("half\n");
        assertThat(result.describe()).isEqualTo("ended with 3");
    }

    @Test
    void aToolThatAsksGetsNoAnswer() {
        assertThat(PATIENT.run("/bin/sh", "-c", "read answer; echo \"<$answer>\"").output()).isEqualTo("<>\n");
    }

    @Test
    void aToolThatIsMissingOrNoProgramIsMissing() throws IOException {
        Path text = Files.writeString(directory.resolve("text"), "no program");

        assertThat(PATIENT.run("/nowhere/pmset").outcome()).isEqualTo(Outcome.MISSING);
        assertThat(PATIENT.run(text.toString()).outcome()).isEqualTo(Outcome.MISSING);
        assertThat(PATIENT.run(directory.toString()).outcome()).isEqualTo(Outcome.MISSING);
    }

    @Test
    void aToolThatHangsIsEndedAndWithItWhatItStarted() throws Exception {
        Path pid = directory.resolve("pid");
        var impatient = new SystemTools(Duration.ofMillis(300), 1 << 20);
        Path script = Files.writeString(directory.resolve("hang"), "#!/bin/sh\n/bin/sleep 600 &\necho $! >" + pid + "\nwait\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));

        ToolResult result = impatient.run(script.toString());

        assertThat(result).isEqualTo(ToolResult.failed(Outcome.TOO_SLOW));
        if (Files.exists(pid)) { // else it was ended before it had started anything
            long child = Long.parseLong(Files.readString(pid).strip());
            ProcessHandle.of(child).ifPresent(handle -> handle.onExit().join());
        }
    }

    @Test
    void aToolThatClosesItsOutputAndHangsIsEnded() {
        assertThat(new SystemTools(Duration.ofMillis(50), 1 << 20).run("/bin/sh", "-c", "exec >&-; exec /bin/sleep 600").outcome())
                .isEqualTo(Outcome.TOO_SLOW);
    }

    @Test
    void aToolThatPrintsWithoutEndIsEnded() {
        assertThat(new SystemTools(Duration.ofSeconds(60), 1000).run("/usr/bin/yes")).isEqualTo(ToolResult.failed(Outcome.TOO_LONG));
        assertThat(new SystemTools(Duration.ofSeconds(60), 3).run("/bin/echo", "ab").output()).as("as much as it may").isEqualTo("ab\n");
    }

    @Test
    void anInterruptedCallerStaysInterrupted() {
        Thread.currentThread().interrupt();

        assertThat(PATIENT.run("/bin/sleep", "600").outcome()).isEqualTo(Outcome.BROKEN);
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void onlyAbsolutePathsAreRun() {
        assertThatIllegalArgumentException().isThrownBy(() -> PATIENT.run("sysctl", "hw.model")).withMessageContaining("sysctl");
    }
}
