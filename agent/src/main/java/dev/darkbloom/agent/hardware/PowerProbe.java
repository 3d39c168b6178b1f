package dev.darkbloom.agent.hardware;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** Says where the machine's power comes from. Any thread; may take as long as a program takes to start. */
@FunctionalInterface
public interface PowerProbe {
    PowerState power();

    /** Returns the probe of the system that this process runs on: {@code pmset} on a Mac, sysfs on Linux. */
    static PowerProbe ofThisSystem() {
        if (System.getProperty("os.name").startsWith("Mac")) {
            var command = List.of("/usr/bin/pmset", "-g", "batt");
            return () -> Tool.output(command, Duration.ofSeconds(5)).map(PmsetOutput::parse).orElse(PowerState.UNKNOWN);
        }
        return new SysfsPower(Path.of("/sys/class/power_supply"))::read;
    }
}
