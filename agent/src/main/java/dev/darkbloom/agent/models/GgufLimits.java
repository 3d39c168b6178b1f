package dev.darkbloom.agent.models;

/**
 * Bounds on what a header may hold, far above any real model's and far below what would hurt.
 *
 * <p>Upstream looks for duplicate keys and tensor names by comparing all pairs, and keeps every array in memory, so its own bounds
 * (2<sup>30</sup> elements) let a small file take minutes and gigabytes.
 */
final class GgufLimits {
    static final int KEYS = 4096;
    static final int KEY_BYTES = 1024;
    static final int TENSORS = 32_768;
    /** {@code GGML_MAX_NAME} less its terminating zero. */
    static final int TENSOR_NAME_BYTES = 63;
    static final int TENSOR_DIMENSIONS = 4;
    /** Kernels of the backends count rows and columns in {@code int}. */
    static final long DIMENSION = Integer.MAX_VALUE;
    static final int TEXT_BYTES = 4 << 20;
    /** All text values of one file together; they are kept on the heap. */
    static final long ALL_TEXT_BYTES = 32L << 20;
    static final int ELEMENT_TEXT_BYTES = 1 << 20;
    static final int STRINGS = 4 << 20;
    static final int NUMBERS = 16 << 20;
    static final int ALIGNMENT = 1 << 20;
    static final int SHARDS = 512;

    private GgufLimits() {}
}
