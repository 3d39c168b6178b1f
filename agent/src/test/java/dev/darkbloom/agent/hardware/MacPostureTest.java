package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class MacPostureTest {
    private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");

    private final RecordedMac mac = new RecordedMac();
    private final MacPosture posture = new MacPosture(mac, InstantSource.fixed(NOW));

    @ParameterizedTest
    @CsvSource({
        "common/csrutil/reconstructed-status-enabled.txt, true",
        "m5-macbook-pro-14-24gb/reconstructed-csrutil-status.txt, true",
        "common/csrutil/reconstructed-status-disabled.txt, false",
        "common/csrutil/status-custom-configuration.txt, false",
        "common/csrutil/reconstructed-status-custom-header-enabled.txt, false",
        "common/csrutil/reconstructed-status-custom-window-manager.txt, false"})
    void sipIsOnOnlyWhereItIsWhollyOn(String recording, boolean on) {
        mac.prints(MacPosture.CSRUTIL, RecordedMac.text(recording));

        assertThat(posture.sip().value()).contains(on);
        assertThat(posture.sip().at()).isEqualTo(NOW);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", "enabled", "System Integrity Protection status: enabled",
        "System Integrity Protection status: enabled. Not",
        "Protection de l'intégrité du système : activée.", " System Integrity Protection status: enabled."})
    void whatCsrutilMayNotSayIsUnknown(String output) {
        mac.prints(MacPosture.CSRUTIL, output);

        assertThat(posture.sip()).isEqualTo(Finding.unknown("csrutil status answered what is not known", NOW));
    }

    @ParameterizedTest
    @CsvSource({
        "SPiBridgeDataType-full-security.json, true",
        "reconstructed-SPiBridgeDataType-reduced.json, false",
        "reconstructed-SPiBridgeDataType-permissive-sip-off.json, false"})
    void onlyFullSecurityIsASecureBoot(String recording, boolean secure) {
        mac.records(MacPosture.BOOT_POLICY, "common/boot-policy", recording);

        assertThat(posture.secureBoot().value()).contains(secure);
        assertThat(posture.secureBoot().proof()).startsWith("boot policy: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"reconstructed-SPiBridgeDataType-empty.json", "reconstructed-SPiBridgeDataType-french.json"})
    void aPolicyInAnotherLanguageOrNoneIsUnknown(String recording) {
        mac.records(MacPosture.BOOT_POLICY, "common/boot-policy", recording);

        assertThat(posture.secureBoot().value()).isEmpty();
        assertThat(posture.authenticatedRoot().value()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Reduced", "Full", "full security", "Full Security (Custom)", "Medium Security"})
    void aLevelThatNobodyKnowsIsUnknown(String level) {
        mac.prints(MacPosture.BOOT_POLICY, "      \"ibridge_secure_boot\" : \"" + level + "\"\n");

        assertThat(posture.secureBoot()).isEqualTo(Finding.unknown("the boot policy of system_profiler answered what is not known", NOW));
    }

    @Test
    void theSealOfTheSystemIsAskedOfThreeToolsInTurn() {
        assertThat(posture.authenticatedRoot()).isEqualTo(Finding.unknown("csrutil authenticated-root status is missing", NOW));

        mac.records(MacPosture.ROOT_VOLUME, "common/boot-policy", "reconstructed-diskutil-info-root-broken.txt");
        assertThat(posture.authenticatedRoot().value()).as("macOS 26 calls healthy seals broken").isEmpty();

        mac.records(MacPosture.ROOT_VOLUME, "common/boot-policy", "reconstructed-diskutil-info-root-sealed.txt");
        assertThat(posture.authenticatedRoot()).isEqualTo(Finding.known(true, "diskutil info: sealed", NOW));

        mac.prints(MacPosture.BOOT_POLICY, RecordedMac.text("common/boot-policy/SPiBridgeDataType-full-security.json")
                .replace("\"ibridge_sb_ssv\" : \"Enabled\"", "\"ibridge_sb_ssv\" : \"Disabled\""));
        assertThat(posture.authenticatedRoot()).isEqualTo(Finding.known(false, "boot policy: no signed system volume", NOW));

        mac.records(MacPosture.AUTHENTICATED_ROOT, "common/csrutil", "reconstructed-authenticated-root-enabled.txt");
        assertThat(posture.authenticatedRoot()).isEqualTo(Finding.known(true, "csrutil authenticated-root status", NOW));

        mac.prints(MacPosture.AUTHENTICATED_ROOT, "Authenticated Root status: disabled\n");
        assertThat(posture.authenticatedRoot().value()).contains(false);
    }

    @Test
    void anUnsealedVolumeIsNotAuthenticated() {
        mac.prints(MacPosture.ROOT_VOLUME, RecordedMac.text("common/boot-policy/reconstructed-diskutil-info-root-sealed.txt")
                .replace("Yes\n", "No\n"));

        assertThat(posture.authenticatedRoot().value()).contains(false);
    }

    @Test
    void rdmaIsDisabledWhereTheToolSaysSoOrThereIsNone() {
        assertThat(posture.rdmaDisabled()).isEqualTo(Finding.known(true, "this system has no rdma_ctl", NOW));

        mac.records(MacPosture.RDMA, "common/boot-policy", "reconstructed-rdma_ctl-disabled.txt");
        assertThat(posture.rdmaDisabled().value()).contains(true);

        mac.records(MacPosture.RDMA, "common/boot-policy", "reconstructed-rdma_ctl-enabled.txt");
        assertThat(posture.rdmaDisabled().value()).contains(false);

        mac.answers(MacPosture.RDMA, ToolResult.ended(1, "not disabled"));
        assertThat(posture.rdmaDisabled()).isEqualTo(Finding.unknown("rdma_ctl status ended with 1", NOW));
    }

    @Test
    void aToolThatHangsIsNoToolThatIsMissing() {
        mac.answers(MacPosture.RDMA, ToolResult.failed(ToolResult.Outcome.TOO_SLOW));

        assertThat(posture.rdmaDisabled()).isEqualTo(Finding.unknown("rdma_ctl status did not end in time", NOW));
    }

    @ParameterizedTest
    @CsvSource({"m4-mac-mini-16gb/reconstructed-sysctl-identity.txt, false", "m6-mac-mini-16gb/reconstructed-sysctl-identity.txt, false"})
    void aMacIsNoVirtualMachine(String recording, boolean virtual) {
        mac.prints(MacPosture.HYPERVISOR, RecordedMac.text(recording));

        assertThat(posture.hypervisor()).isEqualTo(Finding.known(virtual, "kern.hv_vmm_present", NOW));
    }

    @Test
    void aVirtualMachineSaysSo() {
        mac.prints(MacPosture.HYPERVISOR, "kern.hv_vmm_present: 1\n");

        assertThat(posture.hypervisor().value()).contains(true);
    }

    @ParameterizedTest
    @EnumSource(value = ToolResult.Outcome.class, names = {"TOO_SLOW", "TOO_LONG", "BROKEN"})
    void toolsThatFailProveNothing(ToolResult.Outcome outcome) {
        var failing = new MacPosture(command -> ToolResult.failed(outcome), InstantSource.fixed(NOW));

        assertThat(List.of(failing.sip(), failing.secureBoot(), failing.authenticatedRoot(), failing.rdmaDisabled(), failing.hypervisor()))
                .allSatisfy(finding -> {
                    assertThat(finding.value()).isEmpty();
                    assertThat(finding.is(true)).isFalse();
                    assertThat(finding.is(false)).isFalse();
                });
    }

    @Test
    void truncatedOutputsNeverMakeAYesOfANo() {
        var random = new Random(7);
        for (String recording : List.of("status-custom-configuration.txt", "reconstructed-status-custom-header-enabled.txt",
                "reconstructed-status-custom-window-manager.txt", "reconstructed-status-disabled.txt")) {
            String text = RecordedMac.text("common/csrutil/" + recording);
            for (int length = 0; length <= text.length(); length++) {
                mac.prints(MacPosture.CSRUTIL, text.substring(0, length));
                assertThat(posture.sip().is(true)).as(text.substring(0, length)).isFalse();
            }
        }
        String policy = RecordedMac.text("common/boot-policy/reconstructed-SPiBridgeDataType-permissive-sip-off.json");
        for (int round = 0; round < 500; round++) {
            int at = random.nextInt(policy.length());
            mac.prints(MacPosture.BOOT_POLICY, policy.substring(0, at));
            assertThat(posture.secureBoot().is(true)).isFalse();
            assertThatCode(posture::authenticatedRoot).doesNotThrowAnyException();
        }
    }
}
