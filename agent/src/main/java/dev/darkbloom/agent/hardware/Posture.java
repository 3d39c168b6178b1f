package dev.darkbloom.agent.hardware;

import java.util.Objects;

/**
 * What keeps the owner of this machine, and programs on it, from reading what passes through this process, as it was found at one moment:
 * the privacy capabilities, the attestation blob and the challenge's answer of the provider protocol are made of it. Nothing in here is
 * assumed.
 *
 * @param sip whether System Integrity Protection is fully on
 * @param secureBoot whether the machine starts only systems that its maker, or on Linux its firmware's owner, has signed
 * @param authenticatedRoot whether the system's volume is sealed
 * @param rdmaDisabled whether no other machine can read this one's memory over Thunderbolt or InfiniBand
 * @param hypervisor whether the system runs inside a virtual machine ({@code hypervisor_active})
 * @param debuggerAttached whether another process traces this one now
 * @param antiDebug whether none can: neither the system's debuggers nor Java's attach mechanism, agents or remote management
 * @param coreDumpsDisabled whether neither a crash nor a full heap writes memory to a file, be it a core file, a heap dump or a crash
 * report
 * @param environmentScrubbed whether no variable is set that loads foreign code into this process
 * @param runtimeHash of its native libraries, in hexadecimal digits; see {@link ProgramFiles}. It is shown and never sent: coordinators hold
 * hashes of another runtime, so what is sent is what the settings say
 * @param binaryHash of this program's own files, in hexadecimal digits; see {@link ProgramFiles}
 */
public record Posture(
        Finding<Boolean> sip,
        Finding<Boolean> secureBoot,
        Finding<Boolean> authenticatedRoot,
        Finding<Boolean> rdmaDisabled,
        Finding<Boolean> hypervisor,
        Finding<Boolean> debuggerAttached,
        Finding<Boolean> antiDebug,
        Finding<Boolean> coreDumpsDisabled,
        Finding<Boolean> environmentScrubbed,
        Finding<String> runtimeHash,
        Finding<String> binaryHash) {
    public Posture {
        Objects.requireNonNull(sip);
        Objects.requireNonNull(secureBoot);
        Objects.requireNonNull(authenticatedRoot);
        Objects.requireNonNull(rdmaDisabled);
        Objects.requireNonNull(hypervisor);
        Objects.requireNonNull(debuggerAttached);
        Objects.requireNonNull(antiDebug);
        Objects.requireNonNull(coreDumpsDisabled);
        Objects.requireNonNull(environmentScrubbed);
        Objects.requireNonNull(runtimeHash);
        Objects.requireNonNull(binaryHash);
    }
}
