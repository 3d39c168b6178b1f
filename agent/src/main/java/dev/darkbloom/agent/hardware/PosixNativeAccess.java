package dev.darkbloom.agent.hardware;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The calls into the C library that this room makes, all of them; C names stay in here. A library that lacks one of them makes the answer
 * unknown and the demand refused.
 *
 * @param files Linux's own; a Mac has none of them
 */
record PosixNativeAccess(boolean isMac, LinuxFiles files) implements NativeAccess {
    /** {@code struct rlimit {rlim_t rlim_cur, rlim_max;}}, both of 64 bits on both systems (sys/resource.h). */
    private static final MemoryLayout RLIMIT = MemoryLayout.structLayout(JAVA_LONG.withName("rlim_cur"), JAVA_LONG.withName("rlim_max"));
    private static final int RLIMIT_CORE = 4;
    /** linux/prctl.h */
    private static final int PR_GET_DUMPABLE = 3;
    private static final int PR_SET_DUMPABLE = 4;
    /** sys/ptrace.h of macOS */
    private static final int PT_DENY_ATTACH = 31;
    /** sys/sysctl.h of macOS: {@code CTL_KERN, KERN_PROC, KERN_PROC_PID}, before the process's id */
    private static final int[] KERN_PROC_PID = {1, 14, 1};
    /** {@code sizeof(struct kinfo_proc)} of macOS on arm64; of any other size it is another struct, whose flags lie elsewhere. */
    static final int KINFO_PROC_BYTES = 648;
    private static final long P_FLAG_OFFSET = 32;
    private static final int P_TRACED = 0x800;

    /** Whether {@code PT_DENY_ATTACH} has succeeded in this process; macOS does not tell it back. */
    private static volatile boolean deniedAttach;

    @Override
    public Optional<Boolean> isTraced() {
        if (!isMac) {
            return files.value("proc/self/status", "TracerPid").filter(text -> text.matches("\\d+")).map(pid -> !pid.equals("0"));
        }
        try (var arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(JAVA_INT, KERN_PROC_PID[0], KERN_PROC_PID[1], KERN_PROC_PID[2],
                    Math.toIntExact(ProcessHandle.current().pid()));
            MemorySegment process = arena.allocate(2 * KINFO_PROC_BYTES, Long.BYTES);
            MemorySegment length = arena.allocateFrom(JAVA_LONG, process.byteSize());
            int result = call("sysctl", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG),
                    name, KERN_PROC_PID.length + 1, process, length, MemorySegment.NULL, 0L);
            return result == 0 ? isTraced(process, length.get(JAVA_LONG, 0)) : Optional.empty();
        }
    }

    /** Reads the flags of a {@code struct kinfo_proc}. */
    static Optional<Boolean> isTraced(MemorySegment process, long bytes) {
        return bytes == KINFO_PROC_BYTES ? Optional.of((process.get(JAVA_INT, P_FLAG_OFFSET) & P_TRACED) != 0) : Optional.empty();
    }

    @Override
    public Optional<Boolean> deniesDebuggers() {
        if (isMac) {
            return Optional.of(deniedAttach);
        }
        int dumpable = prctl(PR_GET_DUMPABLE);
        return dumpable < 0 ? Optional.empty() : Optional.of(dumpable == 0);
    }

    @Override
    public String denial() {
        return isMac ? "PT_DENY_ATTACH keeps debuggers away" : "PR_SET_DUMPABLE keeps debuggers away, but not root's";
    }

    /** Linux gives a crashed process's memory to a program, if {@code core_pattern} names one, whatever the limit is. */
    @Override
    public Optional<Boolean> writesCoreFiles() {
        if (!isMac && deniesDebuggers().orElse(false)) {
            return Optional.of(false); // what is not dumpable is not dumped
        }
        try (var arena = Arena.ofConfined()) {
            MemorySegment limit = arena.allocate(RLIMIT);
            if (call("getrlimit", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS), RLIMIT_CORE, limit) != 0) {
                return Optional.empty();
            }
            boolean mayWrite = isAboveZero(limit);
            return mayWrite || isMac ? Optional.of(mayWrite)
                    : files.text("proc/sys/kernel/core_pattern").map(pattern -> pattern.startsWith("|"));
        }
    }

    /** Returns whether a {@code struct rlimit} allows anything, or lets the process allow itself anything; "infinite" is negative here. */
    static boolean isAboveZero(MemorySegment limit) {
        return limit.getAtIndex(JAVA_LONG, 0) != 0 || limit.getAtIndex(JAVA_LONG, 1) != 0;
    }

    /** On a Mac that is being debugged already this ends the process, with status 45. */
    @Override
    public boolean denyDebuggers() {
        if (!isMac) {
            return prctl(PR_SET_DUMPABLE) == 0;
        }
        deniedAttach |= call("ptrace", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT),
                PT_DENY_ATTACH, 0, MemorySegment.NULL, 0) == 0;
        return deniedAttach;
    }

    @Override
    public boolean forbidCoreFiles() {
        try (var arena = Arena.ofConfined()) {
            MemorySegment none = arena.allocate(RLIMIT);
            return call("setrlimit", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS), RLIMIT_CORE, none) == 0;
        }
    }

    /** Asked many times in a second, unlike the others, so the handle is kept. */
    private static final class Clock {
        /** {@code CLOCK_MONOTONIC_RAW} of macOS (time.h), which is {@code mach_continuous_time}. */
        private static final int MAC_CONTINUOUS = 4;
        /** linux/time.h */
        private static final int CLOCK_BOOTTIME = 7;
        private static final long NANOS = 1_000_000_000;
        /** {@code struct timespec}, on 64 bits. */
        private static final MemoryLayout TIMESPEC = MemoryLayout.structLayout(JAVA_LONG.withName("tv_sec"), JAVA_LONG.withName("tv_nsec"));

        private static final Optional<MethodHandle> ON_MAC = handle("clock_gettime_nsec_np", FunctionDescriptor.of(JAVA_LONG, JAVA_INT));
        private static final Optional<MethodHandle> ON_LINUX = handle("clock_gettime", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

        private static Optional<MethodHandle> handle(String function, FunctionDescriptor descriptor) {
            var linker = Linker.nativeLinker();
            return linker.defaultLookup().find(function).map(address -> linker.downcallHandle(address, descriptor));
        }

        static OptionalLong mac() throws Throwable {
            return ON_MAC.isEmpty() ? OptionalLong.empty() : OptionalLong.of((long) ON_MAC.get().invokeExact(MAC_CONTINUOUS));
        }

        static OptionalLong linux() throws Throwable {
            if (ON_LINUX.isEmpty()) {
                return OptionalLong.empty();
            }
            try (var arena = Arena.ofConfined()) {
                MemorySegment time = arena.allocate(TIMESPEC);
                int result = (int) ON_LINUX.get().invokeExact(CLOCK_BOOTTIME, time);
                return result == 0 ? OptionalLong.of(time.getAtIndex(JAVA_LONG, 0) * NANOS + time.getAtIndex(JAVA_LONG, 1)) : OptionalLong.empty();
            }
        }
    }

    @Override
    public OptionalLong continuousNanos() {
        try {
            return isMac ? Clock.mac() : Clock.linux();
        } catch (Throwable e) {
            throw new IllegalStateException("the clock cannot be read", e); // it does not throw; a wrong descriptor would
        }
    }

    private static int prctl(int option) {
        return call("prctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                Linker.Option.firstVariadicArg(1), option, 0L, 0L, 0L, 0L);
    }

    private static int call(String function, FunctionDescriptor descriptor, Object... arguments) {
        return invoke(function, descriptor, new Linker.Option[0], arguments);
    }

    private static int call(String function, FunctionDescriptor descriptor, Linker.Option option, Object... arguments) {
        return invoke(function, descriptor, new Linker.Option[] {option}, arguments);
    }

    /**
     * Returns the C function's result, or -1 where there is no such function. These are called a few times in an hour, so nothing is
     * kept.
     */
    private static int invoke(String function, FunctionDescriptor descriptor, Linker.Option[] options, Object[] arguments) {
        var linker = Linker.nativeLinker();
        Optional<MemorySegment> address = linker.defaultLookup().find(function);
        if (address.isEmpty()) {
            return -1;
        }
        MethodHandle handle = linker.downcallHandle(address.get(), descriptor, options);
        try {
            return (int) handle.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException(function + " cannot be called", e); // none of them throws; a wrong descriptor would
        }
    }
}
