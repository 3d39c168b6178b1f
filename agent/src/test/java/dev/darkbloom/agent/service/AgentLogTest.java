package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.core.util.Duration;
import ch.qos.logback.core.util.FileSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

class AgentLogTest {
    private static final Logger LOGGER = LoggerFactory.getLogger(AgentLogTest.class);

    @TempDir
    Path directory;

    @Test
    void linesGoToTheFileWhileItIsOpen() {
        Path file = directory.resolve("agent.log");

        try (var _ = AgentLog.open(file)) {
            LOGGER.info("inside answer={}", 42);
            LOGGER.debug("a detail");
        }
        LOGGER.info("outside");

        assertThat(file).content().contains("INFO  [main] AgentLogTest - inside answer=42").doesNotContain("detail", "outside");
    }

    @Test
    void whereNoInterfaceHasAnAddressNobodyIsWarned() {
        var context = new LoggerContext();

        AgentLog.install(context, Level.WARN, Level.INFO);

        assertThat(List.of("internal.MacAddressUtil", "NetUtil", "NetUtilInitializations"))
                .noneMatch(name -> context.getLogger("io.netty.util." + name).isWarnEnabled());
        assertThat(context.getLogger("io.netty.channel").isWarnEnabled()).isTrue();
    }

    @Test
    void fiveFilesAreKeptAndAllBelongToTheirOwner() throws IOException {
        Path file = directory.resolve("agent.log");

        try (var _ = AgentLog.open(file, FileSize.valueOf("2KB"), Duration.buildByMilliseconds(0))) {
            for (int i = 0; i < 1000; i++) {
                LOGGER.info("a line of some length, number {}", i);
            }
        }

        try (var files = Files.list(directory)) {
            assertThat(files.toList()).hasSize(5).allSatisfy(kept -> assertThat(
                    PosixFilePermissions.toString(Files.getPosixFilePermissions(kept))).as(kept.toString()).isEqualTo("rw-------"));
        }
        assertThat(file).content().contains("number 999");
    }

    @Test
    void aFileThatOthersMayReadIsClosedToThem() throws IOException {
        Path file = Files.createFile(directory.resolve("agent.log"), PosixFilePermissions.asFileAttribute(
                PosixFilePermissions.fromString("rw-r--r--")));

        AgentLog.open(file).close();

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
    }
}
