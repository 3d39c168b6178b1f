package dev.darkbloom.agent.models;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads a GGUF header from front to back: magic, version, counts, metadata, tensor table.
 *
 * <p>Refuses what {@code gguf.cpp} refuses, with the numbers in the message, and more: whatever would make it slow or run out of memory
 * ({@link GgufLimits}), names that end early in C, and tensors whose bytes are not in the file.
 */
final class GgufReader {
    private static final int MAGIC = 0x46554747;   // "GGUF", read as little-endian
    private static final int DEFAULT_ALIGNMENT = 32;
    private static final String ALIGNMENT_KEY = "general.alignment";

    private final GgufSource source;
    private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
    private final List<GgufTensor> tensors = new ArrayList<>();
    private long textBytes;
    private int version;
    private int alignment = DEFAULT_ALIGNMENT;

    private GgufReader(GgufSource source) {
        this.source = source;
    }

    /** Reads the header of {@code source}, which the result takes. */
    static GgufFile read(GgufSource source) {
        var reader = new GgufReader(source);
        reader.readMagicAndVersion();
        long tensorCount = reader.readCount("tensor count", GgufLimits.TENSORS);
        long keyCount = reader.readCount("metadata key count", GgufLimits.KEYS);
        for (long i = 0; i < keyCount; i++) {
            reader.readPair(i);
        }
        reader.readAlignment();
        long dataOffset = reader.readTensors((int) tensorCount);
        return new GgufFile(source, reader.version, reader.alignment, dataOffset, reader.metadata, reader.tensors);
    }

    private void readMagicAndVersion() {
        if (source.size() < 24) {
            throw source.invalid("file has " + source.size() + " bytes; a GGUF header has at least 24");
        }
        int magic = source.readInt("magic");
        if (magic != MAGIC) {
            throw source.invalid(String.format("file begins with bytes %08x, not with GGUF", Integer.reverseBytes(magic)));
        }
        version = source.readInt("version");
        if ((version & 0xFFFF) == 0 && version != 0) {
            throw source.invalid("file is big-endian (GGUF version " + Integer.toUnsignedString(Integer.reverseBytes(version))
                    + " when its bytes are swapped); only little-endian files can be loaded");
        }
        if (version < 2 || version > 3) {
            throw source.invalid("GGUF version is " + Integer.toUnsignedString(version) + "; versions 2 and 3 can be loaded");
        }
    }

    private long readCount(String what, int limit) {
        long count = source.readLong(what);
        if (count < 0 || count > limit) {
            throw source.invalid(what + " is " + Long.toUnsignedString(count) + "; at most " + limit + " are allowed");
        }
        return count;
    }

    private void readPair(long index) {
        String what = "metadata key " + index;
        int length = source.readLength(GgufLimits.KEY_BYTES, what);
        if (length == 0) {
            throw source.invalid(what + " is empty");
        }
        String key = readName(length, what);
        if (metadata.containsKey(key)) {
            throw source.invalid("key " + key + " appears twice");
        }
        metadata.put(key, readValue(key));
    }

    /** Reads a name that C code will see as the same text: no zero in it, no control characters, valid UTF-8. */
    private String readName(int length, String what) {
        String name = source.readText(length, what);
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c < ' ' || c == 0x7F || c == '\uFFFD') {
                throw source.invalid(what + " holds a control character or is not UTF-8, at character " + i);
            }
        }
        return name;
    }

    private GgufValue readValue(String key) {
        GgufType type = readType("type of key " + key);
        return switch (type) {
            case UINT8 -> new GgufValue.Whole(type, source.readByte(key) & 0xFFL);
            case INT8 -> new GgufValue.Whole(type, source.readByte(key));
            case UINT16 -> new GgufValue.Whole(type, source.readShort(key) & 0xFFFFL);
            case INT16 -> new GgufValue.Whole(type, source.readShort(key));
            case UINT32 -> new GgufValue.Whole(type, source.readInt(key) & 0xFFFFFFFFL);
            case INT32 -> new GgufValue.Whole(type, source.readInt(key));
            case UINT64, INT64 -> new GgufValue.Whole(type, source.readLong(key));
            case FLOAT32 -> new GgufValue.Real(type, Float.intBitsToFloat(source.readInt(key)));
            case FLOAT64 -> new GgufValue.Real(type, Double.longBitsToDouble(source.readLong(key)));
            case BOOL -> new GgufValue.Flag(source.readByte(key) != 0);
            case STRING -> readTextValue(key);
            case ARRAY -> readArray(key);
        };
    }

    private GgufType readType(String what) {
        int code = source.readInt(what);
        GgufType type = GgufType.ofCode(code);
        if (type == null) {
            throw source.invalid(what + " is " + Integer.toUnsignedString(code) + "; types are 0 to 12");
        }
        return type;
    }

    private GgufValue.Text readTextValue(String key) {
        int length = source.readLength(GgufLimits.TEXT_BYTES, "value of key " + key);
        textBytes += length;
        if (textBytes > GgufLimits.ALL_TEXT_BYTES) {
            throw source.invalid("text values have more than " + GgufLimits.ALL_TEXT_BYTES + " bytes together, at key " + key);
        }
        return new GgufValue.Text(source.readText(length, key));
    }

    private GgufValue.Array readArray(String key) {
        GgufType element = readType("element type of key " + key);
        if (element == GgufType.ARRAY) {
            throw source.invalid("key " + key + " is an array of arrays, which llama.cpp does not read");
        }
        boolean strings = element == GgufType.STRING;
        int limit = strings ? GgufLimits.STRINGS : GgufLimits.NUMBERS;
        long count = readCount("element count of key " + key, limit);
        long offset = source.position();
        if (strings) {
            skipStrings(key, count);
        } else {
            source.skip(count * element.bytes(), "array " + key);
        }
        return new GgufValue.Array(element, (int) count, offset, source.position() - offset);
    }

    private void skipStrings(String key, long count) {
        if (count * Long.BYTES > source.remaining()) {
            throw source.invalid("array " + key + " has " + count + " strings, more than the " + source.remaining()
                    + " bytes to the end of the file can hold");
        }
        for (long i = 0; i < count; i++) {
            source.skip(source.readLength(GgufLimits.ELEMENT_TEXT_BYTES, key), key);
        }
    }

    private void readAlignment() {
        switch (metadata.get(ALIGNMENT_KEY)) {
            case null -> { }
            case GgufValue.Whole(GgufType type, long value) when type == GgufType.UINT32 -> {
                if (value < 1 || value > GgufLimits.ALIGNMENT || Long.bitCount(value) != 1) {
                    throw source.invalid(ALIGNMENT_KEY + " is " + value + "; it must be a power of two up to " + GgufLimits.ALIGNMENT);
                }
                alignment = (int) value;
            }
            case GgufValue value -> throw source.invalid(ALIGNMENT_KEY + " has type " + value.type().label() + "; it must be u32");
        }
    }

    /** Reads the tensor table and returns where the tensors' bytes begin. */
    private long readTensors(int count) {
        var names = new HashSet<String>();
        for (int i = 0; i < count; i++) {
            tensors.add(readTensor(i, names));
        }
        // Upstream aligns only where there are tensors; a vocabulary-only file may end right after its metadata.
        long dataOffset = count == 0 ? source.position() : padded(source.position());
        placeTensors(dataOffset);
        return dataOffset;
    }

    private GgufTensor readTensor(int index, Set<String> names) {
        String what = "name of tensor " + index;
        int length = source.readLength(GgufLimits.TENSOR_NAME_BYTES, what);
        String name = readName(length, what);
        if (name.isEmpty()) {
            throw source.invalid(what + " is empty");
        }
        if (!names.add(name)) {
            throw source.invalid("tensor " + name + " appears twice");
        }
        long[] shape = readShape(name);
        int code = source.readInt("type of tensor " + name);
        GgmlType type = GgmlType.ofCode(code);
        if (type == null) {
            throw source.invalid("tensor " + name + " has type " + Integer.toUnsignedString(code) + ", which does not exist");
        }
        if (shape[0] % type.blockElements() != 0) {
            throw source.invalid("tensor " + name + " has rows of " + shape[0] + " elements; type " + type + " needs a multiple of "
                    + type.blockElements());
        }
        long offset = source.readLong("offset of tensor " + name);
        return new GgufTensor(name, type, shape[0], shape[1], shape[2], shape[3], offset, bytesOf(name, type, shape));
    }

    private long[] readShape(String name) {
        int dimensions = source.readInt("dimensions of tensor " + name);
        if (dimensions < 0 || dimensions > GgufLimits.TENSOR_DIMENSIONS) {
            throw source.invalid("tensor " + name + " has " + Integer.toUnsignedString(dimensions) + " dimensions; at most "
                    + GgufLimits.TENSOR_DIMENSIONS + " are allowed");
        }
        long[] shape = {1, 1, 1, 1};
        for (int i = 0; i < dimensions; i++) {
            shape[i] = source.readLong("dimension " + i + " of tensor " + name);
            if (shape[i] < 1 || shape[i] > GgufLimits.DIMENSION) {
                throw source.invalid("dimension " + i + " of tensor " + name + " is " + Long.toUnsignedString(shape[i])
                        + "; it must be 1 to " + GgufLimits.DIMENSION);
            }
        }
        return shape;
    }

    private long bytesOf(String name, GgmlType type, long[] shape) {
        try {
            long elements = Math.multiplyExact(Math.multiplyExact(shape[0], shape[1]), Math.multiplyExact(shape[2], shape[3]));
            return type.bytesOf(elements);
        } catch (ArithmeticException e) {
            throw source.invalid("tensor " + name + " has a size that does not fit in 63 bits");
        }
    }

    /** Checks that tensors lie back to back in the order of the table, as upstream demands, and inside the file; makes offsets absolute. */
    private void placeTensors(long dataOffset) {
        long expected = 0;
        for (int i = 0; i < tensors.size(); i++) {
            GgufTensor tensor = tensors.get(i);
            long offset = tensor.offset();
            if (offset != expected) {
                String fault = offset < 0 || offset > expected ? "leaves a gap after" : "overlaps";
                throw source.invalid("tensor " + tensor.name() + " is at offset " + Long.toUnsignedString(offset) + " and " + fault
                        + " the tensor before it; its offset must be " + expected);
            }
            // Sizes are below 2^63, but a sum may wrap: compare without adding.
            long room = source.size() - dataOffset - offset;
            if (tensor.bytes() > room) {
                throw source.invalid("tensor " + tensor.name() + " has " + tensor.bytes() + " bytes, but the file of " + source.size()
                        + " bytes holds " + Math.max(0, room) + " from its offset " + offset);
            }
            tensors.set(i, new GgufTensor(tensor.name(), tensor.type(), tensor.ne0(), tensor.ne1(), tensor.ne2(), tensor.ne3(),
                    dataOffset + offset, tensor.bytes()));
            expected = padded(offset + tensor.bytes());
        }
    }

    private long padded(long offset) {
        return Math.ceilDiv(offset, alignment) * alignment;
    }
}
