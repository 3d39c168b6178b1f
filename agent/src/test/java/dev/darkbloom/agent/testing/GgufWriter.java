package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.models.GgmlType;
import dev.darkbloom.agent.models.GgufType;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Writes a GGUF file with random weights from a seed.
 *
 * <p>Keys and tensors appear in the order in which they were added first; adding one again replaces it in place, so a test can take a
 * whole model from {@link TinyModels} and spoil one thing. Weights are made while they are written, so a model may be larger than the
 * heap. Equal seeds and calls give equal files.
 */
public final class GgufWriter {
    /** How the weights of a tensor are drawn. */
    public enum Fill {
        /** Around 0 with variance {@code 1 / ne0}, which keeps activations in bounds. */
        RANDOM,
        /** 1 each: the neutral scale of a norm. */
        ONES,
        /** 0 each: the neutral bias. */
        ZEROS,
        /** From -1 to -16 along the row: the decay rates of a state-space layer. */
        DECAY
    }

    /** A value as it lies in the file, without its type; of an array, count and elements. */
    record Value(GgufType type, GgufType elementType, byte[] bytes) {}

    record Tensor(GgmlType type, Fill fill, long[] dimensions) {
        long bytes() {
            long elements = 1;
            for (long dimension : dimensions) {
                elements *= dimension;
            }
            return type.bytesOf(elements);
        }
    }

    private final Map<String, Value> metadata = new LinkedHashMap<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final long seed;
    private final String architecture;
    private int version = 3;
    private int alignment = 32;

    /** Begins a model of an architecture; the name becomes {@code general.architecture} and the prefix of {@code …Own} keys. */
    public GgufWriter(String architecture, long seed) {
        this.architecture = architecture;
        this.seed = seed;
        text("general.architecture", architecture);
    }

    public GgufWriter version(int value) {
        version = value;
        return this;
    }

    /** Sets the alignment and its key. */
    public GgufWriter alignment(int value) {
        alignment = value;
        return u32("general.alignment", value);
    }

    public GgufWriter u16(String key, int value) {
        return put(key, GgufType.UINT16, little(2).putShort((short) value));
    }

    public GgufWriter u32(String key, long value) {
        return put(key, GgufType.UINT32, little(4).putInt((int) value));
    }

    public GgufWriter i32(String key, int value) {
        return put(key, GgufType.INT32, little(4).putInt(value));
    }

    public GgufWriter u64(String key, long value) {
        return put(key, GgufType.UINT64, little(8).putLong(value));
    }

    public GgufWriter f32(String key, double value) {
        return put(key, GgufType.FLOAT32, little(4).putFloat((float) value));
    }

    public GgufWriter flag(String key, boolean value) {
        return put(key, GgufType.BOOL, little(1).put((byte) (value ? 1 : 0)));
    }

    public GgufWriter text(String key, String value) {
        metadata.put(key, new Value(GgufType.STRING, null, string(value.getBytes(StandardCharsets.UTF_8))));
        return this;
    }

    /** Adds a value whose bytes the caller has laid out: for types and contents that no model has. */
    public GgufWriter raw(String key, GgufType type, byte[] bytes) {
        metadata.put(key, new Value(type, null, bytes));
        return this;
    }

    public GgufWriter texts(String key, List<String> values) {
        var bytes = new ByteArrayOutputStream();
        bytes.writeBytes(count(values.size()));
        values.forEach(value -> bytes.writeBytes(string(value.getBytes(StandardCharsets.UTF_8))));
        metadata.put(key, new Value(GgufType.ARRAY, GgufType.STRING, bytes.toByteArray()));
        return this;
    }

    public GgufWriter i32s(String key, int... values) {
        return numbers(key, GgufType.INT32, values);
    }

    public GgufWriter u32s(String key, int... values) {
        return numbers(key, GgufType.UINT32, values);
    }

    public GgufWriter f32s(String key, float... values) {
        ByteBuffer buffer = little(8 + 4 * values.length).putLong(values.length);
        for (float value : values) {
            buffer.putFloat(value);
        }
        metadata.put(key, new Value(GgufType.ARRAY, GgufType.FLOAT32, buffer.array()));
        return this;
    }

    private GgufWriter numbers(String key, GgufType type, int... values) {
        ByteBuffer buffer = little(8 + 4 * values.length).putLong(values.length);
        for (int value : values) {
            buffer.putInt(value);
        }
        metadata.put(key, new Value(GgufType.ARRAY, type, buffer.array()));
        return this;
    }

    /** Returns the key of this architecture for a suffix: {@code llama.block_count} for {@code block_count}. */
    public String own(String suffix) {
        return architecture + "." + suffix;
    }

    public GgufWriter without(String key) {
        metadata.remove(key);
        return this;
    }

    public GgufWriter withoutTensor(String name) {
        tensors.remove(name);
        return this;
    }

    /** Adds a tensor; {@code dimensions} begin with the row length, as everywhere in ggml. */
    public GgufWriter tensor(String name, GgmlType type, Fill fill, long... dimensions) {
        tensors.put(name, new Tensor(type, fill, dimensions));
        return this;
    }

    /** Adds a tensor of random weights. */
    public GgufWriter tensor(String name, GgmlType type, long... dimensions) {
        return tensor(name, type, Fill.RANDOM, dimensions);
    }

    /** Returns the metadata, to be changed by {@link GgufMutator}. */
    Map<String, Value> metadata() {
        return metadata;
    }

    /** Returns the tensors, to be changed by {@link GgufMutator}. */
    Map<String, Tensor> tensors() {
        return tensors;
    }

    /** Returns the header, with the padding before the first tensor. */
    public byte[] header() {
        var out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        out.writeBytes(little(4).putInt(version).array());
        out.writeBytes(count(tensors.size()));
        out.writeBytes(count(metadata.size()));
        metadata.forEach((key, value) -> {
            out.writeBytes(string(key.getBytes(StandardCharsets.UTF_8)));
            out.writeBytes(little(4).putInt(value.type().code()).array());
            if (value.elementType() != null) {
                out.writeBytes(little(4).putInt(value.elementType().code()).array());
            }
            out.writeBytes(value.bytes());
        });
        long offset = 0;
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            out.writeBytes(string(entry.getKey().getBytes(StandardCharsets.UTF_8)));
            out.writeBytes(little(4).putInt(tensor.dimensions().length).array());
            for (long dimension : tensor.dimensions()) {
                out.writeBytes(little(8).putLong(dimension).array());
            }
            out.writeBytes(little(4).putInt(tensor.type().code()).array());
            out.writeBytes(little(8).putLong(offset).array());
            offset += padded(tensor.bytes());
        }
        if (!tensors.isEmpty()) {
            out.writeBytes(new byte[(int) (padded(out.size()) - out.size())]);
        }
        return out.toByteArray();
    }

    /** Returns the whole file. */
    public byte[] toBytes() {
        var out = new ByteArrayOutputStream();
        try {
            write(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** Writes the whole file and returns its path. */
    public Path write(Path path) {
        try (var out = new BufferedOutputStream(Files.newOutputStream(path), 1 << 20)) {
            write(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return path;
    }

    /** Writes a file of the right length whose weights are a hole: quick, and whole for whoever reads headers only. */
    public Path writeSparse(Path path) {
        byte[] header = header();
        try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(0);
            file.write(header);
            file.setLength(header.length + tensors.values().stream().mapToLong(tensor -> padded(tensor.bytes())).sum());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return path;
    }

    private void write(OutputStream out) throws IOException {
        out.write(header());
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            var random = new SplittableRandom(seed ^ (long) entry.getKey().hashCode() << 17);
            new Weights(tensor.type(), tensor.fill(), tensor.dimensions()[0], random).write(tensor.bytes(), out);
            out.write(new byte[(int) (padded(tensor.bytes()) - tensor.bytes())]);
        }
    }

    private long padded(long offset) {
        return Math.ceilDiv(offset, alignment) * alignment;
    }

    private GgufWriter put(String key, GgufType type, ByteBuffer bytes) {
        metadata.put(key, new Value(type, null, bytes.array()));
        return this;
    }

    private byte[] count(long value) {
        return little(8).putLong(value).array();
    }

    private byte[] string(byte[] text) {
        return little(8 + text.length).putLong(text.length).put(text).array();
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
