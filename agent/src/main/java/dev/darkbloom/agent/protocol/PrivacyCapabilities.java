package dev.darkbloom.agent.protocol;

/**
 * What the agent promises about the privacy of requests (section 4.1.3), each one measured before it is claimed.
 *
 * @param textBackendInprocess inference runs in the agent's own process
 * @param textProxyDisabled no local proxy carries consumers' text
 * @param pythonRuntimeLocked no Python is in the process; newer coordinators do not ask
 * @param dangerousModulesBlocked likewise
 * @param sipEnabled system integrity protection is on
 * @param antiDebugEnabled no debugger can attach, neither to the process nor to its Java
 * @param coreDumpsDisabled neither core files nor heap dumps are written
 * @param envScrubbed no variable of the environment loads foreign code
 * @param hypervisorActive memory is isolated by a hypervisor; newer coordinators do not ask
 */
public record PrivacyCapabilities(boolean textBackendInprocess, boolean textProxyDisabled, boolean pythonRuntimeLocked,
        boolean dangerousModulesBlocked, boolean sipEnabled, boolean antiDebugEnabled, boolean coreDumpsDisabled, boolean envScrubbed,
        boolean hypervisorActive) {}
