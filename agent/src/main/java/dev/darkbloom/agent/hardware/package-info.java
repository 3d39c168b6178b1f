/**
 * What machine this is, what it can spare and what protects it: memory, cores and chip, how hot and how busy it is, where its power comes
 * from, who could look into this process.
 *
 * <p>Each question is an interface with an answer for macOS and one for Linux. {@link dev.darkbloom.agent.hardware.MachineProbe} tells what
 * this process may use; {@link dev.darkbloom.agent.hardware.HardwareProbe} what a coordinator is told of the machine; {@link
 * dev.darkbloom.agent.hardware.MetricsProbe}, {@link dev.darkbloom.agent.hardware.PowerProbe} and {@link
 * dev.darkbloom.agent.hardware.LoadProbe} what changes from minute to minute; {@link dev.darkbloom.agent.hardware.PostureProbe} what keeps
 * others out, and {@link dev.darkbloom.agent.hardware.ProcessHardening} does what a process can do for that by itself. What cannot be found
 * out is absent or unknown, with the reason, and never assumed.
 *
 * <p>Whatever is decided from a tool's output is decided by a pure function that tests feed with recorded outputs of real machines. Calls
 * into the C library are all in {@code PosixNativeAccess}. A leaf: uses {@code base} only. Safe on any thread; every probe may block, and
 * only {@link dev.darkbloom.agent.hardware.MetricsSampler} may be read from an event loop.
 */
package dev.darkbloom.agent.hardware;
