package dev.darkbloom.agent.hardware;

/**
 * How much memory models may take, all together.
 *
 * <p>Never more than {@link #CAP_FRACTION} of the machine, never the last {@link #SYSTEM_FLOOR_BYTES}, and never what the owner keeps back.
 *
 * @param physicalBytes the machine's memory
 * @param availableBytes what the system could give now
 * @param reserveBytes what the owner keeps back ({@code provider.memory_reserve_gb})
 */
public record MemoryBudget(long physicalBytes, long availableBytes, long reserveBytes) {
    /** Share of physical memory that models never pass. */
    public static final double CAP_FRACTION = 0.90;
    /** Bytes that always stay with the system. */
    public static final long SYSTEM_FLOOR_BYTES = 2L << 30;

    /** Returns the most that could ever be taken: the cap, or all but the system's floor, whichever is less. */
    public long hardCapBytes() {
        return Math.max(0, Math.min((long) (CAP_FRACTION * physicalBytes), physicalBytes - SYSTEM_FLOOR_BYTES));
    }

    /** Returns what is kept back in any case: the owner's reserve, or what lies above the cap, whichever is more. */
    public long keptBytes() {
        return Math.max(reserveBytes, physicalBytes - hardCapBytes());
    }

    /** Returns the bytes that models may take now. */
    public long forModelsBytes() {
        return Math.max(0, Math.min(physicalBytes, availableBytes) - keptBytes());
    }
}
