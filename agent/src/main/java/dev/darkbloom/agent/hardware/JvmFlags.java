package dev.darkbloom.agent.hardware;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * How this Java was started.
 *
 * @param option gives a HotSpot option's value in force, wherever it was set; empty for one that this Java does not have
 * @param arguments to Java itself, not to the program
 */
record JvmFlags(Function<String, Optional<String>> option, List<String> arguments) {
    /** What lets others into a Java process from its start: debugger and profiler agents, and management over the network. */
    private static final List<String> DOORS = List.of("-agentlib:", "-agentpath:", "-javaagent:", "-Xrun", "-Xdebug",
            "-Dcom.sun.management");

    static JvmFlags ofThisProcess() {
        var hotspot = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        return new JvmFlags(name -> {
            try {
                return Optional.of(hotspot.getVMOption(name).getValue());
            } catch (IllegalArgumentException _) {
                return Optional.empty();
            }
        }, ManagementFactory.getRuntimeMXBean().getInputArguments());
    }

    boolean isOn(String name) {
        return option.apply(name).equals(Optional.of("true"));
    }

    /** Returns the start of the first argument that lets others in; what follows its colon may name files. */
    Optional<String> openDoor() {
        return DOORS.stream().filter(door -> arguments.stream().anyMatch(argument -> argument.startsWith(door))).findFirst();
    }
}
