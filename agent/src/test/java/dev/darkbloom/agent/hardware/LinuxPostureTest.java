package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinuxPostureTest {
    private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");
    private static final String SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    @TempDir
    Path root;

    @Test
    void whatIsApplesAloneIsNotThere() {
        assertThat(posture().sip().is(false)).isTrue();
        assertThat(posture().authenticatedRoot().is(false)).isTrue();
    }

    @Test
    void secureBootIsWhatTheFirmwareSays() throws IOException {
        assertThat(posture().secureBoot()).isEqualTo(Finding.known(false, "not started by UEFI", NOW));

        write(SECURE_BOOT, new byte[] {6, 0, 0, 0, 1});
        assertThat(posture().secureBoot().value()).contains(true);

        write(SECURE_BOOT, new byte[] {6, 0, 0, 0, 0});
        assertThat(posture().secureBoot().value()).contains(false);

        write(SECURE_BOOT, new byte[] {6, 0, 0, 0});
        assertThat(posture().secureBoot().value()).as("a variable that was cut").isEmpty();
    }

    @Test
    void rdmaIsDisabledWhereThereIsNoDevice() throws IOException {
        assertThat(posture().rdmaDisabled()).isEqualTo(Finding.known(true, "no RDMA device", NOW));

        Files.createDirectories(root.resolve("sys/class/infiniband/mlx5_0"));

        assertThat(posture().rdmaDisabled()).isEqualTo(Finding.known(false, "RDMA device mlx5_0", NOW));
    }

    @Test
    void aHypervisorIsKnownByTheProcessorsFlags() throws IOException {
        assertThat(posture().hypervisor().value()).isEmpty();

        write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx hypervisors\n".getBytes());
        assertThat(posture().hypervisor().value()).contains(false);

        write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor lahf_lm\n".getBytes());
        assertThat(posture().hypervisor().value()).contains(true);
    }

    private LinuxPosture posture() {
        return new LinuxPosture(new LinuxFiles(root), InstantSource.fixed(NOW));
    }

    private void write(String path, byte[] bytes) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.write(file, bytes);
    }
}
