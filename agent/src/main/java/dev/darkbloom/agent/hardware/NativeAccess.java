package dev.darkbloom.agent.hardware;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What this process can ask of and demand from the operating system about itself. {@link PosixNativeAccess} is the real one. Any thread.
 */
interface NativeAccess {
    /** Returns whether a debugger is attached; empty when the system does not say. */
    Optional<Boolean> isTraced();

    /** Returns whether debuggers are kept from attaching; empty when the system does not say. */
    Optional<Boolean> deniesDebuggers();

    /** Returns what keeps them away and whom it does not. */
    String denial();

    /**
     * Returns whether a crash would write this process's memory to a file, or give it to a program that may; empty when the system does
     * not say.
     */
    Optional<Boolean> writesCoreFiles();

    /** Keeps debuggers from attaching for the rest of the process's life; false when the system refuses. */
    boolean denyDebuggers();

    /** Keeps crashes from writing memory to a file, for the rest of the process's life; false when the system refuses. */
    boolean forbidCoreFiles();

    /** Returns nanoseconds of a clock that goes on in sleep and is never set; empty when the system has none. */
    OptionalLong continuousNanos();

    static NativeAccess ofThisSystem() {
        return new PosixNativeAccess(System.getProperty("os.name").startsWith("Mac"), new LinuxFiles(Path.of("/")));
    }
}
