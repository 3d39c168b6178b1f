package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentHome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HomeLockTest {
    @TempDir
    Path directory;

    private AgentHome home;

    @BeforeEach
    void makeTheHome() {
        home = new AgentHome(directory.resolve("home"), directory.resolve("cache")).create();
    }

    @Test
    void aSecondAgentInTheSameHomeIsRefusedWithTheFirstOnesProcess() {
        try (var _ = HomeLock.acquire(home)) {
            assertThatThrownBy(() -> HomeLock.acquire(home))
                    .isInstanceOf(AgentException.class)
                    .hasMessage("an agent with the home " + home.root() + " is running (process " + ProcessHandle.current().pid() + ")")
                    .extracting(e -> ((AgentException) e).code()).isEqualTo(ErrorCode.ALREADY_RUNNING);
            assertThat(HomeLock.holder(home)).hasValue(ProcessHandle.current().pid());
        }
    }

    @Test
    void afterTheFirstHasEndedTheHomeIsFree() throws IOException {
        HomeLock.acquire(home).close();

        assertThat(HomeLock.holder(home)).isEmpty();
        try (var _ = HomeLock.acquire(home)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home.lock()))).isEqualTo("rw-------");
        }
    }

    @Test
    void whatACrashedAgentLeftDoesNotHold() throws IOException {
        Files.writeString(home.lock(), "999999\n");

        assertThat(HomeLock.holder(home)).isEmpty();
        HomeLock.acquire(home).close();
    }

    @Test
    void aLockInAnotherProcessHolds() throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        var other = new ProcessBuilder(List.of(java, "-cp", System.getProperty("java.class.path"), Holder.class.getName(), home.root().toString()))
                .redirectErrorStream(true)
                .start();
        try (var news = other.inputReader()) {
            assertThat(news.readLine()).isEqualTo("held");

            assertThat(HomeLock.holder(home)).hasValue(other.pid());
            assertThatThrownBy(() -> HomeLock.acquire(home)).hasMessageContaining("process " + other.pid());
        } finally {
            other.destroyForcibly().onExit().join();
        }
        assertThat(HomeLock.holder(home)).isEmpty();
    }

    /** Takes the lock of the home it is given and keeps it until it is ended. */
    static final class Holder {
        public static void main(String[] args) throws IOException {
            var home = new AgentHome(Path.of(args[0]), Path.of(args[0]));
            try (var _ = HomeLock.acquire(home)) {
                System.out.println("held");
                System.in.read();
            }
        }
    }
}
