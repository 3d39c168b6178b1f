package dev.darkbloom.agent.hardware;

/** The findings of {@link Posture} that are the machine's, whatever runs on it. Each call looks again. */
interface MachinePosture {
    Finding<Boolean> sip();

    Finding<Boolean> secureBoot();

    Finding<Boolean> authenticatedRoot();

    Finding<Boolean> rdmaDisabled();

    Finding<Boolean> hypervisor();
}
