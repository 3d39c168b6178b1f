package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class SysctlOutputTest {
    private static final Machine UNKNOWN = new Machine("unknown", 1L << 30, 2, 2);

    @Test
    void performanceCoresAreThoseOfLevelZeroWhateverItsName() throws IOException {
        assertThat(recorded("m1-macbook-air-16gb/sysctl-hw.txt", "m1-macbook-air-16gb/reconstructed-sysctl-identity.txt").machine(UNKNOWN))
                .isEqualTo(new Machine("Apple M1", 16L << 30, 8, 4));
        assertThat(recorded("m3ultra-mac-studio-512gb/reconstructed-sysctl-identity.txt").machine(UNKNOWN))
                .isEqualTo(new Machine("Apple M3 Ultra", 512L << 30, 32, 24));
        assertThat(recorded("m5max-macbook-pro-16-128gb/sysctl-perflevels.txt").machine(new Machine("Apple M5 Max", 128L << 30, 18, 18)))
                .isEqualTo(new Machine("Apple M5 Max", 128L << 30, 18, 6));
    }

    @Test
    void aVirtualMacHasOneKindOfCore() throws IOException {
        var machine = recorded("vm-virtualmac2-7gb/sysctl-values.txt").machine(UNKNOWN);

        assertThat(machine).isEqualTo(new Machine("Apple M1 (Virtual)", 7L << 30, 3, 3));
    }

    @Test
    void whatSysctlDoesNotSayComesFromElsewhere() {
        assertThat(SysctlOutput.parse("sysctl: unknown oid 'hw.perflevel0.physicalcpu'\nhw.memsize: lots\n").machine(UNKNOWN)).isEqualTo(UNKNOWN);
    }

    private static SysctlOutput recorded(String... files) throws IOException {
        var text = new StringBuilder();
        for (String file : files) {
            try (InputStream in = SysctlOutputTest.class.getResourceAsStream("/mac/" + file)) {
                text.append(new String(in.readAllBytes(), StandardCharsets.UTF_8)).append('\n');
            }
        }
        return SysctlOutput.parse(text.toString());
    }
}
