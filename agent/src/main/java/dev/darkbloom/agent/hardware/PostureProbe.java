package dev.darkbloom.agent.hardware;

import java.nio.file.Path;
import java.time.InstantSource;

/**
 * Finds out what protects this process, anew with each call. Any thread that may block: on a Mac it runs five programs side by side, for
 * about half a second; were all of them to hang, for 15 s.
 */
@FunctionalInterface
public interface PostureProbe {
    Posture posture();

    /** Returns the probe of the system that this process runs on. */
    static PostureProbe ofThisSystem(InstantSource clock) {
        var process = new ProcessPosture(NativeAccess.ofThisSystem(), JvmFlags.ofThisProcess(), System.getenv().keySet(),
                ProgramFiles.ofThisProcess(), clock);
        MachinePosture machine = System.getProperty("os.name").startsWith("Mac")
                ? new MacPosture(SystemTools.STANDARD, clock)
                : new LinuxPosture(new LinuxFiles(Path.of("/")), clock);
        return new SystemPosture(machine, process);
    }
}
