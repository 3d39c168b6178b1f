package dev.darkbloom.agent.hardware;

/**
 * The parts of a machine that do not change while it runs.
 *
 * @param chip as the maker calls it: {@code Apple M4 Max}
 * @param memoryBytes physical memory
 * @param physicalCores cores of every kind that this process may use; at least 1
 * @param performanceCores those of the fastest kind; all of them where there is one kind
 */
public record Machine(String chip, long memoryBytes, int physicalCores, int performanceCores) {
    public Machine {
        if (memoryBytes <= 0 || performanceCores < 1 || physicalCores < performanceCores) {
            throw new IllegalArgumentException(
                    memoryBytes + " bytes, " + physicalCores + " cores of which " + performanceCores + " are performance cores");
        }
    }
}
