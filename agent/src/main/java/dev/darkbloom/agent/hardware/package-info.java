/**
 * What machine this is and what it can spare: memory, cores and chip.
 *
 * <p>{@link dev.darkbloom.agent.hardware.MachineProbe} is what others ask; {@link dev.darkbloom.agent.hardware.OshiProbe} answers on macOS
 * and Linux. Whatever is decided from a tool's output is decided by a pure function that tests feed with recorded outputs of real machines.
 * A leaf: uses {@code base} only. Safe on any thread.
 */
package dev.darkbloom.agent.hardware;
