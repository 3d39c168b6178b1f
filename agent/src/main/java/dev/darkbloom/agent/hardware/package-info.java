/**
 * What machine this is and what it can spare: memory, cores and chip, where its power comes from and how busy it is.
 *
 * <p>{@link dev.darkbloom.agent.hardware.MachineProbe} is what others ask; {@link dev.darkbloom.agent.hardware.OshiProbe} answers on macOS
 * and Linux. {@link dev.darkbloom.agent.hardware.PowerProbe} and {@link dev.darkbloom.agent.hardware.LoadProbe} say what changes from hour to
 * hour. Whatever is decided from a tool's output is decided by a pure function that tests feed with recorded outputs of real machines.
 * A leaf: uses {@code base} only. Safe on any thread.
 */
package dev.darkbloom.agent.hardware;
