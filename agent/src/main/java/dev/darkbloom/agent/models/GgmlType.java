package dev.darkbloom.agent.models;

import java.util.HashMap;
import java.util.Map;

/**
 * The element type of a tensor: a number format, or blocks of quantized numbers; {@code ggml_type} in {@code ggml.h}.
 *
 * <p>Sizes follow {@code ggml-common.h}. Codes that upstream has withdrawn (4, 5, 31 to 33, 36 to 38) are absent: a file that has them
 * is refused.
 */
public enum GgmlType {
    F32(0, 1, 4, true),
    F16(1, 1, 2, true),
    Q4_0(2, 32, 18, true),
    Q4_1(3, 32, 20, true),
    Q5_0(6, 32, 22, true),
    Q5_1(7, 32, 24, true),
    Q8_0(8, 32, 34, true),
    Q8_1(9, 32, 36, false),
    Q2_K(10, 256, 84, true),
    Q3_K(11, 256, 110, true),
    Q4_K(12, 256, 144, true),
    Q5_K(13, 256, 176, true),
    Q6_K(14, 256, 210, true),
    Q8_K(15, 256, 292, false),
    IQ2_XXS(16, 256, 66, true),
    IQ2_XS(17, 256, 74, true),
    IQ3_XXS(18, 256, 98, true),
    IQ1_S(19, 256, 50, true),
    IQ4_NL(20, 32, 18, true),
    IQ3_S(21, 256, 110, true),
    IQ2_S(22, 256, 82, true),
    IQ4_XS(23, 256, 136, true),
    I8(24, 1, 1, false),
    I16(25, 1, 2, false),
    I32(26, 1, 4, false),
    I64(27, 1, 8, false),
    F64(28, 1, 8, false),
    IQ1_M(29, 256, 56, true),
    BF16(30, 1, 2, true),
    TQ1_0(34, 256, 54, true),
    TQ2_0(35, 256, 66, true),
    MXFP4(39, 32, 17, true),
    NVFP4(40, 64, 36, true),
    Q1_0(41, 128, 18, true),
    Q2_0(42, 64, 18, true);

    private static final Map<Integer, GgmlType> BY_CODE = new HashMap<>();

    static {
        for (GgmlType type : values()) {
            BY_CODE.put(type.code, type);
        }
    }

    private final int code;
    private final int blockElements;
    private final int blockBytes;
    private final boolean weight;

    GgmlType(int code, int blockElements, int blockBytes, boolean weight) {
        this.code = code;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
        this.weight = weight;
    }

    /** Returns the type with a code, or null when there is none. */
    static GgmlType ofCode(int code) {
        return BY_CODE.get(code);
    }

    /** Returns the number that stands for this type in a file. */
    public int code() {
        return code;
    }

    /** Returns the elements of one block; 1 for plain numbers. A row holds whole blocks. */
    public int blockElements() {
        return blockElements;
    }

    /** Returns the bytes of one block. */
    public int blockBytes() {
        return blockBytes;
    }

    /** Returns whether the type stores weights; the others exist for intermediate results and indices. */
    public boolean isWeight() {
        return weight;
    }

    /** Returns whether an element takes a share of a block instead of bytes of its own. */
    public boolean isQuantized() {
        return blockElements > 1;
    }

    /**
     * Returns the bytes of {@code elements} elements.
     *
     * @param elements a multiple of {@link #blockElements}, not negative
     * @throws ArithmeticException if the size does not fit in a {@code long}
     */
    public long bytesOf(long elements) {
        return Math.multiplyExact(elements / blockElements, blockBytes);
    }
}
