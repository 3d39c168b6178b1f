package dev.darkbloom.agent.api;

import java.util.Locale;
import java.util.Optional;

/** Finds out who listens on a TCP port of this machine, for the message that says why ours cannot. Blocks; never throws. */
interface PortHolder {
    /** Returns the process that listens on {@code port}; empty where it cannot be found. */
    Optional<Holder> find(int port);

    /**
     * A process that listens.
     *
     * @param program its name, without its path
     */
    record Holder(long pid, String program) {
        @Override
        public String toString() {
            return program + ", pid " + pid;
        }
    }

    /** Returns the way that this operating system has. */
    static PortHolder ofThisSystem() {
        boolean isMac = System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("mac");
        return isMac ? LsofPortHolder.ofThisMac() : ProcPortHolder.ofThisMachine();
    }
}
