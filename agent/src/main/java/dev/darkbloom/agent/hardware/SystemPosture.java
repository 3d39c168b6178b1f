package dev.darkbloom.agent.hardware;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Puts the machine's findings and the process's together. They are looked up side by side: a challenge wants its answer in 30 s, and seven
 * tools that hang one after the other would take longer.
 */
record SystemPosture(MachinePosture machine, ProcessPosture process) implements PostureProbe {
    @Override
    public Posture posture() {
        try (var lookups = Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("task-posture-", 0).factory())) {
            var sip = lookups.submit(machine::sip);
            var secureBoot = lookups.submit(machine::secureBoot);
            var authenticatedRoot = lookups.submit(machine::authenticatedRoot);
            var rdmaDisabled = lookups.submit(machine::rdmaDisabled);
            var hypervisor = lookups.submit(machine::hypervisor);
            var binaryHash = lookups.submit((Callable<Finding<String>>) process::binaryHash);
            var runtimeHash = lookups.submit((Callable<Finding<String>>) process::runtimeHash);
            return new Posture(found(sip), found(secureBoot), found(authenticatedRoot), found(rdmaDisabled), found(hypervisor),
                    process.debuggerAttached(), process.antiDebug(), process.coreDumpsDisabled(), process.environmentScrubbed(),
                    found(runtimeHash), found(binaryHash));
        }
    }

    /** Waits also for a caller that is interrupted, who finds the flag set again: every tool ends in time by itself. */
    private static <T> T found(Future<T> lookup) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return lookup.get();
                } catch (InterruptedException _) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    throw new IllegalStateException("a lookup failed", e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
