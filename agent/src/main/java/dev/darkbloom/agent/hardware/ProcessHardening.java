package dev.darkbloom.agent.hardware;

import java.util.ArrayList;
import java.util.List;

/**
 * Shuts what a process can shut by itself, once and as early as possible. What a launcher has to do (the environment, Java's options) is
 * only measured here, by {@link PostureProbe}.
 *
 * <p>Afterwards the owner's own tools cannot look in either: on Linux {@code /proc/self/mem} and the like belong to root.
 */
public final class ProcessHardening {
    private ProcessHardening() {}

    /**
     * Forbids core files and denies debuggers, for the rest of the process's life. On a Mac whose debugger is attached already this ends
     * the process, with status 45.
     *
     * @return what the system refused, in words for the log; empty when all was done
     */
    public static List<String> apply() {
        return apply(NativeAccess.ofThisSystem());
    }

    static List<String> apply(NativeAccess system) {
        var refused = new ArrayList<String>();
        if (!system.forbidCoreFiles()) {
            refused.add("the limit of core files cannot be set to 0");
        }
        if (!system.denyDebuggers()) {
            refused.add("debuggers cannot be denied");
        }
        return List.copyOf(refused);
    }
}
