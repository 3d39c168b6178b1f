package dev.darkbloom.agent.models;

/** The type of a metadata value; {@code gguf_type} in {@code gguf.h}. */
public enum GgufType {
    UINT8(1, "u8"),
    INT8(1, "i8"),
    UINT16(2, "u16"),
    INT16(2, "i16"),
    UINT32(4, "u32"),
    INT32(4, "i32"),
    FLOAT32(4, "f32"),
    BOOL(1, "bool"),
    STRING(0, "str"),
    ARRAY(0, "arr"),
    UINT64(8, "u64"),
    INT64(8, "i64"),
    FLOAT64(8, "f64");

    private static final GgufType[] BY_CODE = values();

    private final int bytes;
    private final String label;

    GgufType(int bytes, String label) {
        this.bytes = bytes;
        this.label = label;
    }

    /** Returns the type with a code, or null when there is none. */
    static GgufType ofCode(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }

    /** Returns the number that stands for this type in a file. */
    public int code() {
        return ordinal();
    }

    /** Returns the bytes of one value; 0 for strings and arrays, whose size varies. */
    public int bytes() {
        return bytes;
    }

    /** Returns the short name that llama.cpp prints, for example {@code u32}. */
    public String label() {
        return label;
    }
}
