package dev.darkbloom.agent.hardware;

import java.util.Optional;

/** Measures the machine. {@link OshiProbe} is the real one. */
public interface MachineProbe {
    Machine machine();

    /** Returns the bytes that could be taken now without swapping, by the operating system's own estimate. */
    long availableBytes();

    /** Returns the program that listens on a TCP port, where this user may see it. */
    Optional<PortHolder> portHolder(int port);

    /**
     * A process that listens.
     *
     * @param program its name; empty when it cannot be read
     */
    record PortHolder(long pid, String program) {
        @Override
        public String toString() {
            return program.isEmpty() ? "process " + pid : program + " (process " + pid + ")";
        }
    }
}
