package dev.darkbloom.agent.config;

import java.math.BigDecimal;

/**
 * An amount of memory.
 *
 * @param bytes 0 or more
 */
public record DataSize(long bytes) {
    /** The bytes of one GB as settings count it: 2³⁰. */
    public static final long BYTES_PER_GB = 1L << 30;

    public DataSize {
        if (bytes < 0) {
            throw new IllegalArgumentException("a size of " + bytes + " bytes");
        }
    }

    /** Returns a size given in GB of 2³⁰ bytes, rounded down to a byte. */
    public static DataSize ofGigabytes(BigDecimal gigabytes) {
        return new DataSize(gigabytes.multiply(BigDecimal.valueOf(BYTES_PER_GB)).longValue());
    }

    /** Returns the size in GB of 2³⁰ bytes, without trailing zeros. */
    public String gigabytes() {
        var exact = new BigDecimal(bytes).divide(BigDecimal.valueOf(BYTES_PER_GB));
        return exact.signum() == 0 ? "0" : exact.stripTrailingZeros().toPlainString();
    }

    @Override
    public String toString() {
        return gigabytes() + " GB";
    }
}
