package dev.darkbloom.agent.models;

/** A metadata value. Arrays are only located, not read; see {@link GgufFile}. */
public sealed interface GgufValue {
    /** Returns the type as written in the file; {@link GgufType#ARRAY} for arrays. */
    GgufType type();

    /**
     * An integer.
     *
     * @param value the value; a {@code u64} beyond {@code Long.MAX_VALUE} appears negative
     */
    record Whole(GgufType type, long value) implements GgufValue {
        /** Returns whether the file's number fits a {@code long}: all but the upper half of {@code u64}. */
        public boolean isExact() {
            return type != GgufType.UINT64 || value >= 0;
        }
    }

    /** A floating-point number. */
    record Real(GgufType type, double value) implements GgufValue {}

    /** A truth value; any byte but 0 is true, as in {@code gguf.cpp}. */
    record Flag(boolean value) implements GgufValue {
        @Override
        public GgufType type() {
            return GgufType.BOOL;
        }
    }

    /** Text, decoded as UTF-8 with replacement characters where it is none. */
    record Text(String value) implements GgufValue {
        @Override
        public GgufType type() {
            return GgufType.STRING;
        }
    }

    /**
     * An array that stays in the file.
     *
     * @param elementType never {@link GgufType#ARRAY}: upstream refuses nested arrays
     * @param count elements, not negative
     * @param offset where the first element begins, in bytes from the start of the file
     * @param byteLength bytes of all elements with their lengths
     */
    record Array(GgufType elementType, int count, long offset, long byteLength) implements GgufValue {
        @Override
        public GgufType type() {
            return GgufType.ARRAY;
        }
    }
}
