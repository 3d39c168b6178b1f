package dev.darkbloom.agent.hardware;

/** Measures the machine. {@link OshiProbe} is the real one. */
public interface MachineProbe {
    Machine machine();

    /** Returns the bytes that could be taken now without swapping, by the operating system's own estimate. */
    long availableBytes();
}
