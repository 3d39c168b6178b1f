package dev.darkbloom.agent.models;

/** The element type of the K or the V cache; the subset of {@link GgmlType} that llama.cpp offers for it. */
public enum CacheType {
    F32(GgmlType.F32),
    F16(GgmlType.F16),
    BF16(GgmlType.BF16),
    Q8_0(GgmlType.Q8_0),
    Q5_1(GgmlType.Q5_1),
    Q5_0(GgmlType.Q5_0),
    Q4_1(GgmlType.Q4_1),
    Q4_0(GgmlType.Q4_0);

    private final GgmlType type;

    CacheType(GgmlType type) {
        this.type = type;
    }

    /** Returns the bytes of a row of {@code elements} elements, counting whole blocks. */
    long rowBytes(int elements) {
        return (long) Math.ceilDiv(elements, type.blockElements()) * type.blockBytes();
    }
}
