package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.models.GgufType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Where a valid GGUF file keeps the numbers that a reader trusts: counts, lengths, types, dimensions, offsets. A second, naive reading of
 * the format, so that fuzzing does not aim with the code that it tests.
 *
 * @param wide offsets of 64-bit counts, lengths, dimensions and tensor offsets
 * @param narrow offsets of 32-bit types and numbers of dimensions
 * @param headerBytes where the tensors' bytes begin, padding aside
 */
public record GgufSpots(List<Integer> wide, List<Integer> narrow, int headerBytes) {
    /** Reads a whole, valid file. */
    public static GgufSpots of(byte[] file) {
        return new Walk(ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN)).walk();
    }

    private record Walk(ByteBuffer in, List<Integer> wide, List<Integer> narrow) {
        Walk(ByteBuffer in) {
            this(in, new ArrayList<>(), new ArrayList<>());
        }

        GgufSpots walk() {
            in.position(4);
            readNarrow();
            long tensors = readWide();
            long keys = readWide();
            for (long i = 0; i < keys; i++) {
                text();
                value(readNarrow());
            }
            for (long i = 0; i < tensors; i++) {
                text();
                int dimensions = readNarrow();
                for (int d = 0; d < dimensions; d++) {
                    readWide();
                }
                readNarrow();
                readWide();
            }
            return new GgufSpots(List.copyOf(wide), List.copyOf(narrow), in.position());
        }

        private long readWide() {
            wide.add(in.position());
            return in.getLong();
        }

        private int readNarrow() {
            narrow.add(in.position());
            return in.getInt();
        }

        private void text() {
            long length = readWide();
            in.position(in.position() + (int) length);
        }

        private void value(int code) {
            GgufType type = GgufType.values()[code];
            switch (type) {
                case STRING -> text();
                case ARRAY -> {
                    GgufType element = GgufType.values()[readNarrow()];
                    long count = readWide();
                    for (long i = 0; i < count; i++) {
                        value(element.code());
                    }
                }
                case UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, UINT64, INT64, FLOAT64 ->
                        in.position(in.position() + type.bytes());
            }
        }
    }
}
