package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

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
}
