package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.models.GgmlType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** Draws the weights of one tensor and lays them out in its type. */
final class Weights {
    private static final int CHUNK_BLOCKS = 4096;

    private final GgmlType type;
    private final GgufWriter.Fill fill;
    private final long rowElements;
    private final SplittableRandom random;
    private long index;

    Weights(GgmlType type, GgufWriter.Fill fill, long rowElements, SplittableRandom random) {
        this.type = type;
        this.fill = fill;
        this.rowElements = rowElements;
        this.random = random;
    }

    void write(long bytes, OutputStream out) throws IOException {
        long blocks = bytes / type.blockBytes();
        ByteBuffer chunk = ByteBuffer.allocate(CHUNK_BLOCKS * type.blockBytes()).order(ByteOrder.LITTLE_ENDIAN);
        while (blocks > 0) {
            int part = (int) Math.min(blocks, CHUNK_BLOCKS);
            chunk.clear();
            for (int i = 0; i < part; i++) {
                putBlock(chunk);
            }
            out.write(chunk.array(), 0, chunk.position());
            blocks -= part;
        }
    }

    private void putBlock(ByteBuffer chunk) {
        switch (type) {
            case F32 -> chunk.putFloat(next());
            case F16 -> chunk.putShort(Float.floatToFloat16(next()));
            case BF16 -> chunk.putShort((short) (Float.floatToRawIntBits(next()) >>> 16));
            case I32 -> chunk.putInt(0);
            case Q8_0 -> putQ8(chunk);
            default -> putNoise(chunk);
        }
    }

    /** A block of Q8_0 is a scale and 32 bytes; uniform bytes of variance 127²/3 take one draw for eight weights. */
    private void putQ8(ByteBuffer chunk) {
        chunk.putShort(Float.floatToFloat16((float) (Math.sqrt(3.0 / rowElements) / 127)));
        for (int i = 0; i < 4; i++) {
            // Quants are -127 to 127 by convention; -128 becomes -127.
            long draw = random.nextLong();
            for (int shift = 0; shift < 64; shift += 8) {
                chunk.put((byte) Math.max(-127, (byte) (draw >>> shift)));
            }
        }
    }

    /** Types that no tiny model uses get bytes with small exponents, so that scales stay finite. */
    private void putNoise(ByteBuffer chunk) {
        for (int i = 0; i < type.blockBytes(); i++) {
            chunk.put((byte) (random.nextInt() & 0x2F));
        }
    }

    private float next() {
        long column = index++ % rowElements;
        return switch (fill) {
            case RANDOM -> (float) (random.nextGaussian() / Math.sqrt(rowElements));
            case ONES -> 1;
            case ZEROS -> 0;
            case DECAY -> -1 - 15f * column / rowElements;
        };
    }
}
