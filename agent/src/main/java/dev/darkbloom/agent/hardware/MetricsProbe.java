package dev.darkbloom.agent.hardware;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.InstantSource;

/**
 * Measures how the machine fares. Any thread that may block: on a Mac it runs five programs of some 10 ms. Ask {@link MetricsSampler}
 * elsewhere.
 */
@FunctionalInterface
public interface MetricsProbe {
    SystemMetrics metrics();

    /** Returns the probe of the system that this process runs on. */
    static MetricsProbe ofThisSystem(InstantSource clock) {
        var system = ManagementFactory.getOperatingSystemMXBean();
        return System.getProperty("os.name").startsWith("Mac")
                ? new MacMetrics(SystemTools.STANDARD, system::getSystemLoadAverage, system.getAvailableProcessors(), clock)
                : new LinuxMetrics(new LinuxFiles(Path.of("/")), PowerProbe.ofThisSystem(), clock);
    }
}
