package dev.darkbloom.agent.hardware;

/** A machine that is told, not measured. */
record FakeMachineProbe(Machine machine, long availableBytes) implements MachineProbe {
    /** Stands for what no tool said: no chip of Apple's, 1 GiB, two cores of one kind. */
    static final FakeMachineProbe UNKNOWN = new FakeMachineProbe(new Machine("unknown", 1L << 30, 2, 2), 1L << 29);
}
