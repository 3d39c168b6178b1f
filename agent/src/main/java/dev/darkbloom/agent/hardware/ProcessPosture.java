package dev.darkbloom.agent.hardware;

import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The findings of {@link Posture} that are this process's own. Each call looks again, at what is in force and not at what was asked for.
 *
 * @param variables the names in the environment that this process was started in
 */
record ProcessPosture(NativeAccess system, JvmFlags java, Set<String> variables, ProgramFiles program, InstantSource clock) {
    /** Loaders, the GPU's libraries, whose variables can record what it computes, Java, and options for it that our launcher passes on. */
    private static final List<String> FORBIDDEN = List.of("LD_", "DYLD_", "MTL_", "METAL_", "GGML_", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS",
            "JDK_JAVA_OPTIONS", "DARKBLOOM_AGENT_JAVA_OPTIONS");
    /** Set by the launcher: without it an abort in native code starts a debugger. */
    private static final String ALLOWED = "GGML_NO_BACKTRACE";

    Finding<Boolean> debuggerAttached() {
        return system.isTraced()
                .map(isTraced -> Finding.known(isTraced,
                        isTraced ? "another process traces this one" : "no process traces this one", clock.instant()))
                .orElseGet(() -> Finding.unknown("the system does not say who traces this process", clock.instant()));
    }

    /** Every way in must be shut, and nobody may have come in before; the first that is open is named. */
    Finding<Boolean> antiDebug() {
        if (system.isTraced().orElse(false)) {
            return Finding.known(false, "another process traces this one", clock.instant());
        }
        if (!java.isOn("DisableAttachMechanism")) {
            return Finding.known(false, "Java's attach mechanism is on", clock.instant());
        }
        Optional<String> door = java.openDoor();
        if (door.isPresent()) {
            return Finding.known(false, "Java was started with " + door.get(), clock.instant());
        }
        return system.deniesDebuggers()
                .map(denies -> Finding.known(denies, denies ? "Java's attach mechanism is off; " + system.denial() : "debuggers may attach",
                        clock.instant()))
                .orElseGet(() -> Finding.unknown("the system does not say whether it denies debuggers", clock.instant()));
    }

    Finding<Boolean> coreDumpsDisabled() {
        if (java.isOn("HeapDumpOnOutOfMemoryError")) {
            return Finding.known(false, "Java writes a heap dump when memory is out", clock.instant());
        }
        // A crash report quotes the stack's end and what the registers point at.
        if (!java.isOn("SuppressFatalErrorMessage") && !java.option().apply("ErrorFile").equals(Optional.of("/dev/null"))) {
            return Finding.known(false, "Java writes a report when it crashes", clock.instant());
        }
        return system.writesCoreFiles()
                .map(writes -> Finding.known(!writes,
                        writes ? "a crash writes a core file" : "no crash writes a core file", clock.instant()))
                .orElseGet(() -> Finding.unknown("the system does not say whether it writes core files", clock.instant()));
    }

    Finding<Boolean> environmentScrubbed() {
        List<String> found = variables.stream().filter(name -> !name.equals(ALLOWED))
                .filter(name -> FORBIDDEN.stream().anyMatch(name::startsWith)).sorted().toList();
        return found.isEmpty()
                ? Finding.known(true, "no variable that loads foreign code", clock.instant())
                : Finding.known(false, "set at start: " + String.join(", ", found), clock.instant());
    }

    Finding<String> runtimeHash() {
        try {
            return program.librariesSha256().map(hash -> Finding.known(hash, "SHA-256 of this program's native libraries", clock.instant()))
                    .orElseGet(() -> Finding.unknown("this program's native libraries are not among its files", clock.instant()));
        } catch (IOException e) {
            return Finding.unknown("this program's files cannot be read: " + e.getMessage(), clock.instant());
        }
    }

    Finding<String> binaryHash() {
        try {
            return Finding.known(program.sha256(), "SHA-256 of this program's files", clock.instant());
        } catch (IOException e) {
            return Finding.unknown("this program's files cannot be read: " + e.getMessage(), clock.instant());
        }
    }
}
