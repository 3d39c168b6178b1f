package dev.darkbloom.agent.hardware;

import java.time.InstantSource;
import java.util.Optional;

/**
 * Asks a Mac's tools, none of which needs root. Only words that are known decide: the boot policy's follow the owner's language, and
 * {@code csrutil} prints "enabled" also for a system that is half open.
 */
record MacPosture(ToolRunner tools, InstantSource clock) implements MachinePosture {
    static final String[] CSRUTIL = {"/usr/bin/csrutil", "status"};
    static final String[] AUTHENTICATED_ROOT = {"/usr/bin/csrutil", "authenticated-root", "status"};
    static final String[] BOOT_POLICY = {"/usr/sbin/system_profiler", "-json", "SPiBridgeDataType"};
    static final String[] ROOT_VOLUME = {"/usr/sbin/diskutil", "info", "/"};
    static final String[] RDMA = {"/usr/bin/rdma_ctl", "status"};
    static final String[] HYPERVISOR = {"/usr/sbin/sysctl", "kern.hv_vmm_present"};

    private static final String SIP = "System Integrity Protection status: ";

    /** Only the first line decides, and only whole: a custom configuration calls itself unknown or enabled, and is neither. */
    @Override
    public Finding<Boolean> sip() {
        ToolResult result = tools.run(CSRUTIL);
        String line = firstLine(result);
        return switch (line) {
            case SIP + "enabled." -> Finding.known(true, "csrutil status", clock.instant());
            case SIP + "disabled.", SIP + "unknown (Custom Configuration).", SIP + "enabled (Custom Configuration)." ->
                Finding.known(false, "csrutil status: " + line.substring(SIP.length()), clock.instant());
            default -> notUnderstood("csrutil status", result);
        };
    }

    @Override
    public Finding<Boolean> secureBoot() {
        ToolResult result = tools.run(BOOT_POLICY);
        Optional<String> level = Fields.parse(result.output()).text("ibridge_secure_boot");
        return switch (level.orElse("")) {
            case "Full Security" -> Finding.known(true, "boot policy: Full Security", clock.instant());
            case "Reduced Security", "Permissive Security" -> Finding.known(false, "boot policy: " + level.get(), clock.instant());
            default -> notUnderstood("the boot policy of system_profiler", result);
        };
    }

    /** {@code csrutil} may ask which of several systems is meant; the boot policy and the volume's seal are asked then. */
    @Override
    public Finding<Boolean> authenticatedRoot() {
        ToolResult result = tools.run(AUTHENTICATED_ROOT);
        switch (firstLine(result)) {
            case "Authenticated Root status: enabled" -> {
                return Finding.known(true, "csrutil authenticated-root status", clock.instant());
            }
            case "Authenticated Root status: disabled" -> {
                return Finding.known(false, "csrutil authenticated-root status", clock.instant());
            }
            default -> { } // ask the others
        }
        switch (Fields.parse(tools.run(BOOT_POLICY).output()).text("ibridge_sb_ssv").orElse("")) {
            case "Enabled" -> {
                return Finding.known(true, "boot policy: signed system volume", clock.instant());
            }
            case "Disabled" -> {
                return Finding.known(false, "boot policy: no signed system volume", clock.instant());
            }
            default -> { }
        }
        // macOS 26 has been seen to call a healthy seal "Broken", so that word says nothing.
        return switch (Fields.parse(tools.run(ROOT_VOLUME).output()).text("Sealed").orElse("")) {
            case "Yes" -> Finding.known(true, "diskutil info: sealed", clock.instant());
            case "No" -> Finding.known(false, "diskutil info: not sealed", clock.instant());
            default -> notUnderstood("csrutil authenticated-root status", result);
        };
    }

    /** The tool came with RDMA, in macOS 26.2: where it is missing there is none to enable. */
    @Override
    public Finding<Boolean> rdmaDisabled() {
        ToolResult result = tools.run(RDMA);
        if (result.outcome() == ToolResult.Outcome.MISSING) {
            return Finding.known(true, "this system has no rdma_ctl", clock.instant());
        }
        return switch (result.output().strip()) {
            case "disabled" -> Finding.known(true, "rdma_ctl status", clock.instant());
            case "enabled" -> Finding.known(false, "rdma_ctl status", clock.instant());
            default -> notUnderstood("rdma_ctl status", result);
        };
    }

    @Override
    public Finding<Boolean> hypervisor() {
        ToolResult result = tools.run(HYPERVISOR);
        return switch (SysctlOutput.parse(result.output()).text("kern.hv_vmm_present", "")) {
            case "1" -> Finding.known(true, "kern.hv_vmm_present", clock.instant());
            case "0" -> Finding.known(false, "kern.hv_vmm_present", clock.instant());
            default -> notUnderstood("sysctl kern.hv_vmm_present", result);
        };
    }

    private static String firstLine(ToolResult result) {
        return result.output().lines().findFirst().orElse("").stripTrailing();
    }

    private <T> Finding<T> notUnderstood(String what, ToolResult result) {
        boolean answered = result.outcome() == ToolResult.Outcome.ENDED && result.exitCode() == 0;
        return Finding.unknown(what + " " + (answered ? "answered what is not known" : result.describe()), clock.instant());
    }
}
