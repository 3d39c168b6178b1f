package dev.darkbloom.agent.hardware;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.OptionalDouble;

/** Says how much of the machine's computing other processes take. Any thread. */
@FunctionalInterface
public interface LoadProbe {
    /**
     * Watches for a short while; blocks meanwhile.
     *
     * @return the share of all cores that processes other than this one kept busy, 0 to 1; empty when the system does not say
     * @throws InterruptedException when the calling thread is interrupted
     */
    OptionalDouble othersShare() throws InterruptedException;

    /** Returns the probe of the system that this process runs on. */
    static LoadProbe ofThisSystem(Duration window) {
        var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return () -> {
            // Both count from the call before, which may be long ago.
            system.getCpuLoad();
            system.getProcessCpuLoad();
            Thread.sleep(window); // what is asked is what happens in this time
            return others(system.getCpuLoad(), system.getProcessCpuLoad());
        };
    }

    /** Returns what is left of {@code all} without {@code own}; either is negative when it is not known. */
    private static OptionalDouble others(double all, double own) {
        return all >= 0 && own >= 0 ? OptionalDouble.of(Math.clamp(all - own, 0, 1)) : OptionalDouble.empty();
    }
}
