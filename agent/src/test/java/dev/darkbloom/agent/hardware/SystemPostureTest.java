package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemPostureTest {
    private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");

    @TempDir
    Path directory;

    /** Tools that answer only once five of them have been asked. */
    @Test
    void theMachinesFindingsAreLookedUpSideBySide() {
        var allAsked = new CyclicBarrier(5);
        ToolRunner tools = command -> {
            try {
                allAsked.await();
            } catch (BrokenBarrierException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return new RecordedMac()
                    .records(MacPosture.CSRUTIL, "common/csrutil", "reconstructed-status-enabled.txt")
                    .records(MacPosture.AUTHENTICATED_ROOT, "common/csrutil", "reconstructed-authenticated-root-enabled.txt")
                    .records(MacPosture.BOOT_POLICY, "common/boot-policy", "SPiBridgeDataType-full-security.json")
                    .prints(MacPosture.HYPERVISOR, "kern.hv_vmm_present: 0\n")
                    .run(command);
        };

        Posture posture = posture(tools);

        assertThat(List.of(posture.sip(), posture.secureBoot(), posture.authenticatedRoot(), posture.rdmaDisabled()))
                .allSatisfy(finding -> assertThat(finding.value()).contains(true));
        assertThat(posture.hypervisor().value()).contains(false);
        assertThat(posture.antiDebug().value()).contains(true);
        assertThat(posture.binaryHash().value().orElseThrow()).hasSize(64);
    }

    @Test
    void aCallerThatIsInterruptedGetsItsAnswerAndStaysInterrupted() {
        Thread.currentThread().interrupt();

        Posture posture = posture(new RecordedMac());

        assertThat(Thread.interrupted()).isTrue();
        assertThat(posture.sip().value()).isEmpty();
    }

    private Posture posture(ToolRunner tools) {
        var clock = InstantSource.fixed(NOW);
        var process = new ProcessPosture(new FakeNativeAccess(), new JvmFlags(_ -> Optional.of("true"), List.of()), Set.of(),
                new ProgramFiles(List.of(directory)), clock);
        return new SystemPosture(new MacPosture(tools, clock), process).posture();
    }
}
