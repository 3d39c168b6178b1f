package dev.darkbloom.agent.hardware;

import java.time.InstantSource;
import java.util.List;

/**
 * A Linux machine's nearest to what a Mac is asked for. System Integrity Protection and a signed system volume are Apple's, so the answer
 * to both is a plain no.
 */
record LinuxPosture(LinuxFiles files, InstantSource clock) implements MachinePosture {
    /** UEFI's variable: four bytes of attributes, then 1 or 0 (UEFI 2.10, 3.3). */
    private static final String SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    @Override
    public Finding<Boolean> sip() {
        return Finding.known(false, "Linux has no System Integrity Protection", clock.instant());
    }

    @Override
    public Finding<Boolean> secureBoot() {
        return files.bytes(SECURE_BOOT).filter(variable -> variable.length == 5)
                .map(variable -> Finding.known(variable[4] == 1, "UEFI variable SecureBoot", clock.instant()))
                .orElseGet(() -> files.exists("sys/firmware/efi")
                        ? Finding.unknown("UEFI does not say", clock.instant())
                        : Finding.known(false, "not started by UEFI", clock.instant()));
    }

    @Override
    public Finding<Boolean> authenticatedRoot() {
        return Finding.known(false, "Linux has no signed system volume", clock.instant());
    }

    @Override
    public Finding<Boolean> rdmaDisabled() {
        List<String> devices = files.names("sys/class/infiniband", ".+");
        return Finding.known(devices.isEmpty(),
                devices.isEmpty() ? "no RDMA device" : "RDMA device " + devices.getFirst(), clock.instant());
    }

    @Override
    public Finding<Boolean> hypervisor() {
        return LinuxHardware.isVirtual(files)
                .map(isVirtual -> Finding.known(isVirtual, "processor flags and firmware", clock.instant()))
                .orElseGet(() -> Finding.unknown("neither processor nor firmware says", clock.instant()));
    }
}
