package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PosixNativeAccessTest {
    @TempDir
    Path root;

    /** In a process of its own, for it cannot be undone. */
    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void aProcessThatHardensItselfFindsItselfHardened() throws Exception {
        List<String> said = runChild(Map.of(), "-XX:+DisableAttachMechanism", "-XX:ErrorFile=/dev/null");

        assertThat(said).contains("before debuggerAttached Optional[false]", "before antiDebug Optional[false]",
                "refused []",
                "after debuggerAttached Optional[false]", "after antiDebug Optional[true]", "after coreDumpsDisabled Optional[true]",
                "after environmentScrubbed Optional[true]", "after binaryHash Optional[64]");
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void aProcessThatWasStartedOpenFindsItselfOpen() throws Exception {
        List<String> said = runChild(Map.of("JDK_JAVA_OPTIONS", "-XX:+HeapDumpOnOutOfMemoryError"), "-Xmx64m");

        assertThat(said).contains("after antiDebug Optional[false]", "after coreDumpsDisabled Optional[false]",
                "after environmentScrubbed Optional[false]");
    }

    private List<String> runChild(Map<String, String> variables, String... options) throws IOException, InterruptedException {
        var command = new ArrayList<String>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(options));
        command.add(HardenedChild.class.getName());
        var builder = new ProcessBuilder(command).redirectError(root.resolve("err").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("LD_") || name.startsWith("GGML_") || name.contains("JAVA"));
        builder.environment().putAll(variables);
        Process process = builder.start();
        try {
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor()).as(Files.readString(root.resolve("err"))).isZero();
            return said.lines().toList();
        } finally {
            process.destroyForcibly();
        }
    }

    @ParameterizedTest
    @CsvSource({"0, false", "1234, true"})
    void linuxNamesTheTracer(String pid, boolean isTraced) throws IOException {
        write("proc/self/status", "Name:\tjava\nTracerPid:\t" + pid + "\nUid:\t0\n");

        assertThat(linux().isTraced()).contains(isTraced);
    }

    @ParameterizedTest
    @CsvSource({"''", "Name: java", "TracerPid: none"})
    void aStatusWithoutATracerIsUnknown(String status) throws IOException {
        write("proc/self/status", status);

        assertThat(linux().isTraced()).isEmpty();
    }

    @Test
    void aMacsProcessIsTracedWhereItsFlagsSaySo() {
        try (var arena = Arena.ofConfined()) {
            var process = arena.allocate(PosixNativeAccess.KINFO_PROC_BYTES, 8);
            process.set(ValueLayout.JAVA_INT, 32, 0x4004);
            assertThat(PosixNativeAccess.isTraced(process, PosixNativeAccess.KINFO_PROC_BYTES)).contains(false);

            process.set(ValueLayout.JAVA_INT, 32, 0x4804);
            assertThat(PosixNativeAccess.isTraced(process, PosixNativeAccess.KINFO_PROC_BYTES)).contains(true);
            assertThat(PosixNativeAccess.isTraced(process, PosixNativeAccess.KINFO_PROC_BYTES - 8)).as("another struct").isEmpty();
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 0, false", "0, 1, true", "1, 1, true", "-1, -1, true", "0, -1, true"})
    void aLimitIsZeroOnlyWhereItCannotBeRaised(long soft, long hard, boolean isAboveZero) {
        try (var arena = Arena.ofConfined()) {
            assertThat(PosixNativeAccess.isAboveZero(arena.allocateFrom(ValueLayout.JAVA_LONG, soft, hard))).isEqualTo(isAboveZero);
        }
    }

    /** The limit of this process is 0 from here on, which harms no other test. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void aLimitOfZeroDoesNotKeepACrashFromAProgramThatTakesIt() throws IOException {
        assertThat(linux().forbidCoreFiles()).isTrue();
        assertThat(linux().writesCoreFiles()).as("nothing says where a crash would go").isEmpty();

        write("proc/sys/kernel/core_pattern", "core.%p\n");
        assertThat(linux().writesCoreFiles()).contains(false);

        write("proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n");
        assertThat(linux().writesCoreFiles()).contains(true);
    }

    private PosixNativeAccess linux() {
        return new PosixNativeAccess(false, new LinuxFiles(root));
    }

    private void write(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
