package dev.darkbloom.agent.hardware;

import java.nio.file.Path;

/** Says where the machine's power comes from. Any thread; may take as long as a program takes to start. */
@FunctionalInterface
public interface PowerProbe {
    PowerState power();

    /** Returns the probe of the system that this process runs on: {@code pmset} on a Mac, sysfs on Linux. */
    static PowerProbe ofThisSystem() {
        if (System.getProperty("os.name").startsWith("Mac")) {
            return () -> PmsetOutput.parse(SystemTools.STANDARD.run("/usr/bin/pmset", "-g", "batt").output());
        }
        return new SysfsPower(Path.of("/sys/class/power_supply"))::read;
    }
}
