package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessPostureTest {
    private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");
    private static final Map<String, String> SHUT = Map.of("DisableAttachMechanism", "true", "HeapDumpOnOutOfMemoryError", "false",
            "ErrorFile", "/dev/null");

    @TempDir
    Path directory;

    private final FakeNativeAccess system = new FakeNativeAccess();

    @Test
    void aProcessThatShutEveryDoorProvesIt() {
        ProcessPosture posture = posture(SHUT, List.of("-Xmx512m"), Set.of("HOME", "PATH", "GGML_NO_BACKTRACE"));

        assertThat(posture.antiDebug()).isEqualTo(Finding.known(true, "Java's attach mechanism is off; nobody comes in", NOW));
        assertThat(posture.coreDumpsDisabled().value()).contains(true);
        assertThat(posture.debuggerAttached().value()).contains(false);
        assertThat(posture.environmentScrubbed().value()).contains(true);
    }

    @Test
    void javasAttachMechanismLetsDebuggersIn() {
        assertThat(posture(Map.of("DisableAttachMechanism", "false"), List.of(), Set.of()).antiDebug())
                .isEqualTo(Finding.known(false, "Java's attach mechanism is on", NOW));
        assertThat(posture(Map.of(), List.of(), Set.of()).antiDebug().value()).as("a Java that lacks the option").contains(false);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-agentlib:jdwp=transport=dt_socket,server=y", "-agentpath:/tmp/secret.so", "-javaagent:/tmp/a.jar",
        "-Xrunjdwp:server=y", "-Xdebug", "-Dcom.sun.management.jmxremote.port=7091"})
    void anAgentOrRemoteManagementLetsOthersIn(String argument) {
        Finding<Boolean> found = posture(SHUT, List.of("-Xmx1g", argument), Set.of()).antiDebug();

        assertThat(found.value()).contains(false);
        assertThat(found.proof()).startsWith("Java was started with -").doesNotContain("/tmp");
    }

    @Test
    void aSystemThatDoesNotDenyDebuggersOrDoesNotSayIsNoProof() {
        system.deniesDebuggers = Optional.of(false);
        assertThat(posture(SHUT, List.of(), Set.of()).antiDebug()).isEqualTo(Finding.known(false, "debuggers may attach", NOW));

        system.deniesDebuggers = Optional.empty();
        assertThat(posture(SHUT, List.of(), Set.of()).antiDebug().value()).isEmpty();
    }

    @Test
    void coreFilesHeapDumpsAndCrashReportsAllWriteMemory() {
        var heapDump = Map.of("HeapDumpOnOutOfMemoryError", "true", "ErrorFile", "/dev/null");
        assertThat(posture(heapDump, List.of(), Set.of()).coreDumpsDisabled().value()).contains(false);
        assertThat(posture(Map.of("ErrorFile", "/var/log/crash-%p.log"), List.of(), Set.of()).coreDumpsDisabled().value()).contains(false);
        assertThat(posture(Map.of(), List.of(), Set.of()).coreDumpsDisabled().value()).as("into the working directory").contains(false);
        assertThat(posture(Map.of("SuppressFatalErrorMessage", "true"), List.of(), Set.of()).coreDumpsDisabled().value()).contains(true);

        system.writesCoreFiles = Optional.of(true);
        assertThat(posture(SHUT, List.of(), Set.of()).coreDumpsDisabled().value()).contains(false);

        system.writesCoreFiles = Optional.empty();
        assertThat(posture(SHUT, List.of(), Set.of()).coreDumpsDisabled().value()).isEmpty();
    }

    @Test
    void aDebuggerThatIsThereIsSeen() {
        system.isTraced = Optional.of(true);
        assertThat(posture(SHUT, List.of(), Set.of()).debuggerAttached().value()).contains(true);
        assertThat(posture(SHUT, List.of(), Set.of()).antiDebug().value()).as("it came before the door was shut").contains(false);

        system.isTraced = Optional.empty();
        assertThat(posture(SHUT, List.of(), Set.of()).debuggerAttached().value()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS", "MTL_CAPTURE_ENABLED", "METAL_DEVICE_WRAPPER_TYPE", "GGML_METAL_PATH_RESOURCES",
        "DARKBLOOM_AGENT_JAVA_OPTIONS"})
    void aVariableThatLoadsForeignCodeIsNamed(String variable) {
        assertThat(posture(SHUT, List.of(), Set.of("HOME", variable)).environmentScrubbed())
                .isEqualTo(Finding.known(false, "set at start: " + variable, NOW));
    }

    @ParameterizedTest
    @ValueSource(strings = {"LDFLAGS", "JAVA_HOME", "OLD_LD_PRELOAD", "DARKBLOOM_AGENT_HOME"})
    void aVariableThatLoadsNothingIsNot(String variable) {
        assertThat(posture(SHUT, List.of(), Set.of(variable)).environmentScrubbed().value()).contains(true);
    }

    @Test
    void filesThatCannotBeReadHaveNoHash() {
        var missing = new ProgramFiles(List.of(directory.resolve("gone.jar")));

        var posture = new ProcessPosture(system, flags(SHUT, List.of()), Set.of(), missing, InstantSource.fixed(NOW));

        assertThat(posture.binaryHash().value()).isEmpty();
        assertThat(posture.runtimeHash().value()).isEmpty();
    }

    @Test
    void whatTheSystemRefusesIsSaid() {
        assertThat(ProcessHardening.apply(system)).isEmpty();

        system.refuses = true;

        assertThat(ProcessHardening.apply(system)).hasSize(2);
    }

    @Test
    void theFlagsOfThisProcessAreThoseInForce() {
        JvmFlags flags = JvmFlags.ofThisProcess();

        assertThat(flags.option().apply("DisableAttachMechanism").orElseThrow()).isIn("true", "false");
        assertThat(flags.option().apply("HeapDumpOnOutOfMemoryError").orElseThrow()).isIn("true", "false");
        assertThat(flags.option().apply("NoSuchOption")).isEmpty();
    }

    private ProcessPosture posture(Map<String, String> options, List<String> arguments, Set<String> variables) {
        return new ProcessPosture(system, flags(options, arguments), variables, new ProgramFiles(List.of(directory)),
                InstantSource.fixed(NOW));
    }

    private static JvmFlags flags(Map<String, String> options, List<String> arguments) {
        return new JvmFlags(name -> Optional.ofNullable(options.get(name)), arguments);
    }
}
