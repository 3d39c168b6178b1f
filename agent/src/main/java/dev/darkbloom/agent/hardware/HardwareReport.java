package dev.darkbloom.agent.hardware;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What a machine is, as a coordinator is told it ({@code register.hardware} and the attestation blob of the provider protocol). What the
 * system does not say and no table holds is absent; nothing in here is a guess.
 *
 * @param model as the maker numbers it: {@code Mac16,10}; empty when it does not say
 * @param cores of the whole machine, not only those that this process may use
 * @param gpuCores empty where they are not counted, as on Linux
 * @param memoryBytes physical memory
 * @param bandwidthGBps of the memory, in 10⁹ bytes a second, from a table of Apple's chips; empty for any other
 * @param serialNumber of the machine; it names its owner's machine to a coordinator, so {@link #toString} leaves it out
 * @param isTranslated whether this process runs under Rosetta, where neither chip nor cores are what they are and models are slow
 */
public record HardwareReport(
        String model,
        Form form,
        Chip chip,
        Cores cores,
        OptionalInt gpuCores,
        long memoryBytes,
        OptionalDouble bandwidthGBps,
        Optional<String> serialNumber,
        OsVersion os,
        boolean isTranslated) {
    /** A PiB, more than any machine has; a number beyond is no number of bytes. */
    static final long MOST_MEMORY_BYTES = 1L << 50;

    /** What stands on the desk. */
    public enum Form {
        LAPTOP,
        DESKTOP,
        /** No machine at all: a virtual one. */
        VIRTUAL,
        UNKNOWN
    }

    public HardwareReport {
        Objects.requireNonNull(model);
        Objects.requireNonNull(form);
        Objects.requireNonNull(chip);
        Objects.requireNonNull(cores);
        Objects.requireNonNull(gpuCores);
        Objects.requireNonNull(bandwidthGBps);
        Objects.requireNonNull(serialNumber);
        Objects.requireNonNull(os);
        if (memoryBytes <= 0 || memoryBytes > MOST_MEMORY_BYTES) {
            throw new IllegalArgumentException(memoryBytes + " bytes of memory");
        }
    }

    /** Returns the memory in whole GiB, rounded down: Linux counts what its kernel and firmware keep as not there. */
    public int memoryGib() {
        return Math.toIntExact(memoryBytes >> 30);
    }

    @Override
    public String toString() {
        return "HardwareReport[model=" + model + ", form=" + form + ", chip=" + chip.name() + ", cores=" + cores + ", gpuCores=" + gpuCores
                + ", memoryBytes=" + memoryBytes + ", bandwidthGBps=" + bandwidthGBps + ", os=" + os
                + ", isTranslated=" + isTranslated + "]";
    }
}
