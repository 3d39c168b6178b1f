package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * The header of one GGUF file, syntactically whole, with the file still open behind it.
 *
 * <p>Scalars and texts are read; arrays stay in the file and are read when asked for, so that a vocabulary of a quarter of a million
 * strings costs nothing to whoever does not look at it. Used by the thread that opened it.
 */
@Confined("the opener's thread")
public final class GgufFile implements AutoCloseable {
    private final GgufSource source;
    private final int version;
    private final int alignment;
    private final long dataOffset;
    private final Map<String, GgufValue> metadata;
    private final List<GgufTensor> tensors;
    private final Map<String, GgufTensor> tensorsByName = new HashMap<>();

    GgufFile(GgufSource source, int version, int alignment, long dataOffset, Map<String, GgufValue> metadata, List<GgufTensor> tensors) {
        this.source = source;
        this.version = version;
        this.alignment = alignment;
        this.dataOffset = dataOffset;
        this.metadata = Collections.unmodifiableMap(metadata);
        this.tensors = Collections.unmodifiableList(tensors);
        for (GgufTensor tensor : tensors) {
            tensorsByName.put(tensor.name(), tensor);
        }
    }

    /**
     * Opens a file and reads its header.
     *
     * @throws AgentException {@code MODEL_MISSING} when there is no such file, {@code MODEL_INVALID} when it is not a GGUF file that
     *     llama.cpp could read; nothing stays open then
     */
    public static GgufFile open(Path path) {
        GgufSource source = GgufSource.open(path);
        try {
            return GgufReader.read(source);
        } catch (Throwable t) {
            source.close();
            throw t;
        }
    }

    public Path path() {
        return source.path();
    }

    /** Returns the version of the format: 2 or 3. */
    public int version() {
        return version;
    }

    /** Returns the bytes of the file. */
    public long sizeBytes() {
        return source.size();
    }

    /** Returns the multiple at which tensors begin, in bytes; a power of two. */
    public int alignment() {
        return alignment;
    }

    /** Returns where the tensors' bytes begin, which is the size of the header with its padding. */
    public long dataOffset() {
        return dataOffset;
    }

    /** Returns the metadata in the order of the file. */
    public Map<String, GgufValue> metadata() {
        return metadata;
    }

    /** Returns the tensors in the order of the file. */
    public List<GgufTensor> tensors() {
        return tensors;
    }

    /** Returns the tensor of a name, or null. */
    GgufTensor tensor(String name) {
        return tensorsByName.get(name);
    }

    /** Returns a text value; empty when the key is absent or has another type. */
    public Optional<String> text(String key) {
        return metadata.get(key) instanceof GgufValue.Text(String value) ? Optional.of(value) : Optional.empty();
    }

    /** Returns an integer; empty when the key is absent, has another type or exceeds a {@code long}. */
    public OptionalLong whole(String key) {
        return metadata.get(key) instanceof GgufValue.Whole value && value.isExact()
                ? OptionalLong.of(value.value())
                : OptionalLong.empty();
    }

    /** Returns a floating-point number; empty when the key is absent or has another type. */
    public OptionalDouble real(String key) {
        return metadata.get(key) instanceof GgufValue.Real value ? OptionalDouble.of(value.value()) : OptionalDouble.empty();
    }

    /** Returns a truth value, or {@code otherwise} when the key is absent or has another type. */
    public boolean flag(String key, boolean otherwise) {
        return metadata.get(key) instanceof GgufValue.Flag(boolean value) ? value : otherwise;
    }

    /** Returns where an array lies; empty when the key is absent or is no array. */
    public Optional<GgufValue.Array> array(String key) {
        return metadata.get(key) instanceof GgufValue.Array array ? Optional.of(array) : Optional.empty();
    }

    /**
     * Reads an array of integers or truth values.
     *
     * @param array an array of this file; floating-point numbers and strings are refused
     */
    long[] wholes(GgufValue.Array array) {
        var values = new long[array.count()];
        source.seek(array.offset());
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (array.elementType()) {
                case UINT8 -> source.readByte("array") & 0xFFL;
                case INT8 -> source.readByte("array");
                case UINT16 -> source.readShort("array") & 0xFFFFL;
                case INT16 -> source.readShort("array");
                case UINT32 -> source.readInt("array") & 0xFFFFFFFFL;
                case INT32 -> source.readInt("array");
                case UINT64, INT64 -> source.readLong("array");
                case BOOL -> source.readByte("array") != 0 ? 1 : 0;
                case FLOAT32, FLOAT64, STRING, ARRAY ->
                        throw new IllegalArgumentException("array of " + array.elementType().label());
            };
        }
        return values;
    }

    /** Reads an array of {@code f32}. */
    float[] floats(GgufValue.Array array) {
        if (array.elementType() != GgufType.FLOAT32) {
            throw new IllegalArgumentException("array of " + array.elementType().label());
        }
        var values = new float[array.count()];
        source.seek(array.offset());
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(source.readInt("array"));
        }
        return values;
    }

    /** Reads all strings of an array. */
    public List<String> strings(GgufValue.Array array) {
        var strings = new ArrayList<String>();
        visit(array, bytes -> strings.add(new String(bytes, StandardCharsets.UTF_8)));
        return strings;
    }

    /** Hands the bytes of each string of an array to {@code visitor} until it has had enough. */
    void visit(GgufValue.Array array, BytesVisitor visitor) {
        if (array.elementType() != GgufType.STRING) {
            throw new IllegalArgumentException("array of " + array.elementType().label());
        }
        source.seek(array.offset());
        for (int i = 0; i < array.count(); i++) {
            int length = source.readLength(GgufLimits.ELEMENT_TEXT_BYTES, "array");
            if (!visitor.next(source.readBytes(length, "array"))) {
                return;
            }
        }
    }

    /** Returns an error about this file, which the caller throws. */
    AgentException invalid(String problem) {
        return source.invalid(problem);
    }

    /** Closes the file; what has been read stays readable, arrays do not. */
    @Override
    public void close() {
        source.close();
    }

    /** Takes the strings of an array one after the other. */
    interface BytesVisitor {
        /** Takes one string's bytes and returns whether more are wanted. */
        boolean next(byte[] bytes);
    }
}
