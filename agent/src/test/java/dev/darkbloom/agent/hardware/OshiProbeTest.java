package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.junit.jupiter.api.Test;

class OshiProbeTest {
    private final OshiProbe probe = new OshiProbe();

    @Test
    void thisMachineHasCoresAndMemory() {
        var machine = probe.machine();

        assertThat(machine.memoryBytes()).isGreaterThan(256L << 20);
        assertThat(machine.physicalCores()).isBetween(1, Runtime.getRuntime().availableProcessors());
        assertThat(probe.availableBytes()).isBetween(1L, machine.memoryBytes());
    }

    @Test
    void theProgramThatListensOnAPortIsNamed() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThat(probe.portHolder(socket.getLocalPort())).hasValueSatisfying(
                    holder -> assertThat(holder.pid()).isEqualTo(ProcessHandle.current().pid()));
        }
    }
}
