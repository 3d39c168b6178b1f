package dev.darkbloom.agent.protocol;

import java.util.Optional;

/**
 * The machine's protections as the system tells them when a challenge is answered; absent where it does not tell.
 *
 * @param sipEnabled system integrity protection is on
 * @param secureBootEnabled only signed systems start
 * @param rdmaDisabled no other machine reads this one's memory
 * @param hypervisorActive memory is isolated by a hypervisor; newer coordinators do not ask
 */
public record NodePosture(Optional<Boolean> sipEnabled, Optional<Boolean> secureBootEnabled, Optional<Boolean> rdmaDisabled,
        Optional<Boolean> hypervisorActive) {}
