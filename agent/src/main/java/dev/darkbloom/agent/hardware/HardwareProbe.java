package dev.darkbloom.agent.hardware;

import java.nio.file.Path;

/**
 * Says what a coordinator is told of this machine. Any thread that may block: on a Mac it runs a handful of programs, for about half a
 * second.
 */
@FunctionalInterface
public interface HardwareProbe {
    /** Measures anew; a machine's parts stay, so once in a process is enough. */
    HardwareReport report();

    /** Returns the probe of the system that this process runs on. */
    static HardwareProbe ofThisSystem() {
        var fallback = new OshiProbe();
        return System.getProperty("os.name").startsWith("Mac")
                ? new MacHardware(SystemTools.STANDARD, fallback)
                : new LinuxHardware(new LinuxFiles(Path.of("/")), fallback);
    }
}
