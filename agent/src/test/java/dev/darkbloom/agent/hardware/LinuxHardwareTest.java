package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.hardware.HardwareReport.Form;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinuxHardwareTest {
    @TempDir
    Path root;

    @Test
    void aLaptopOfTwoKindsOfCores() throws IOException {
        write("proc/cpuinfo", "processor\t: 0\nmodel name\t: 13th Gen Intel(R) Core(TM) i7-1360P\nflags\t\t: fpu vmx sse\n");
        write("proc/meminfo", "MemTotal:       32569284 kB\nMemFree:         1000000 kB\n");
        write("proc/sys/kernel/osrelease", "6.18.44-generic\n");
        write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n");
        write("sys/class/dmi/id/product_name", "20XW\n");
        write("sys/class/dmi/id/product_serial", "PF0000\n");
        write("sys/class/dmi/id/chassis_type", "10\n");
        write("sys/devices/cpu_core/cpus", "0-3\n");
        write("sys/devices/cpu_atom/cpus", "4-6\n");
        threads("0-1", "0-1", "2-3", "2-3", "4", "5", "6");

        HardwareReport report = report();

        assertThat(report.model()).isEqualTo("20XW");
        assertThat(report.serialNumber()).contains("PF0000");
        assertThat(report.form()).isEqualTo(Form.LAPTOP);
        assertThat(report.chip()).isEqualTo(Chip.named("13th Gen Intel(R) Core(TM) i7-1360P"));
        assertThat(report.cores()).hasToString("2 Performance + 3 Efficiency");
        assertThat(report.memoryBytes()).isEqualTo(32569284L << 10);
        assertThat(report.memoryGib()).isEqualTo(31);
        assertThat(report.os()).hasToString("Debian GNU/Linux 12 (6.18.44-generic)");
        assertThat(report.gpuCores()).isEmpty();
        assertThat(report.bandwidthGBps()).isEmpty();
    }

    @Test
    void anArmMachineWhoseKernelCountsCapacities() throws IOException {
        write("sys/firmware/devicetree/base/model", "Some Board Rev 1\0");
        write("sys/firmware/devicetree/base/serial-number", "0123abc\0");
        threads("0", "1", "2", "3", "4", "5");
        int[] capacities = {414, 414, 414, 414, 1024, 1024};
        for (int cpu = 0; cpu < capacities.length; cpu++) {
            write("sys/devices/system/cpu/cpu" + cpu + "/cpu_capacity", capacities[cpu] + "\n");
        }

        HardwareReport report = report();

        assertThat(report.model()).isEqualTo("Some Board Rev 1");
        assertThat(report.serialNumber()).contains("0123abc");
        assertThat(report.cores()).hasToString("2 Performance + 4 Efficiency");
    }

    @Test
    void aMachineOfOneKindCountsEachCoreOnceWhateverItsThreads() throws IOException {
        threads("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7");

        assertThat(report().cores().total()).isEqualTo(4);
        assertThat(report().cores().efficiency()).isZero();
    }

    @Test
    void aCoreThatIsSwitchedOffIsNotCounted() throws IOException {
        threads("0", "1");
        Files.delete(root.resolve("sys/devices/system/cpu/cpu1/topology/thread_siblings_list"));

        assertThat(report().cores().total()).isEqualTo(1);
    }

    @Test
    void aVirtualMachineIsOneWhateverItsCase() throws IOException {
        write("proc/cpuinfo", "flags\t: fpu hypervisor sse\n");
        write("sys/class/dmi/id/chassis_type", "10\n");

        assertThat(report().form()).isEqualTo(Form.VIRTUAL);
    }

    @Test
    void aVirtualArmMachineIsKnownByItsFirmware() throws IOException {
        assertThat(LinuxHardware.isVirtual(new LinuxFiles(root))).isEmpty();

        write("sys/class/dmi/id/sys_vendor", "QEMU\n");

        assertThat(LinuxHardware.isVirtual(new LinuxFiles(root))).contains(true);
    }

    @ParameterizedTest
    @ValueSource(strings = {"To be filled by O.E.M.", "Default string", "Not Specified", "System Serial Number", "0000000", "None",
        "", " "})
    void aNumberThatNobodyFilledInIsNone(String text) throws IOException {
        write("sys/class/dmi/id/product_serial", text);

        assertThat(report().serialNumber()).isEmpty();
    }

    @Test
    void aSystemThatSaysNothingIsWhatTheFallbackSays() {
        HardwareReport report = report();

        assertThat(report.model()).isEmpty();
        assertThat(report.form()).isEqualTo(Form.UNKNOWN);
        assertThat(report.chip().name()).isEqualTo("unknown");
        assertThat(report.cores().total()).isEqualTo(2);
        assertThat(report.memoryGib()).isEqualTo(1);
        assertThat(report.os()).hasToString("Linux");
    }

    @Test
    void filesThatHoldGarbageAreAsGoodAsMissing() throws IOException {
        write("proc/meminfo", "MemTotal: lots kB\n");
        write("sys/class/dmi/id/chassis_type", "laptop\n");
        write("sys/devices/cpu_atom/cpus", "4-\n");
        threads("none", "1-x");
        Files.createDirectories(root.resolve("proc/cpuinfo"));
        Files.createDirectories(root.resolve("etc"));
        Files.write(root.resolve("etc/os-release"), new byte[] {-1, -2});

        HardwareReport report = report();

        assertThat(report.memoryGib()).isEqualTo(1);
        assertThat(report.cores().total()).isEqualTo(2);
        assertThat(report.os().name()).isEqualTo("Linux");
    }

    @Test
    void listsOfProcessorsAreRead() {
        assertThat(LinuxHardware.cpuList("0-2,7,9-9")).isEqualTo(Set.of(0, 1, 2, 7, 9));
        assertThat(LinuxHardware.cpuList("")).isEmpty();
        assertThat(LinuxHardware.cpuList("3-1")).isEmpty();
        assertThat(LinuxHardware.cpuList("1,,2")).isEmpty();
        assertThat(LinuxHardware.cpuList("1,".repeat(100_000) + "x")).isEmpty();
    }

    private HardwareReport report() {
        return new LinuxHardware(new LinuxFiles(root), FakeMachineProbe.UNKNOWN).report();
    }

    /** Makes a processor of each list of siblings. */
    private void threads(String... siblings) throws IOException {
        for (int cpu = 0; cpu < siblings.length; cpu++) {
            write("sys/devices/system/cpu/cpu" + cpu + "/topology/thread_siblings_list", siblings[cpu] + "\n");
        }
    }

    private void write(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
