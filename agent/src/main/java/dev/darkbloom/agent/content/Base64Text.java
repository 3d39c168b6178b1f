package dev.darkbloom.agent.content;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Base64 outside the heap: the standard alphabet of RFC 4648 with padding and without line breaks, six bytes at a time.
 *
 * <p>Strict when it reads: exactly the text that {@link #encode} writes, so padding has to be there and the bits behind the last byte are
 * zero. Tables instead of arithmetic: what they are asked about is public, sealed bytes and public keys. Stateless; any thread that may use
 * the segments. Allocates nothing.
 */
public final class Base64Text {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfLong BIG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LITTLE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final String ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    private static final byte[] LETTERS = new byte[64];
    private static final short[] PAIRS = new short[4096]; // two letters for twelve bits, the first one in the high byte
    private static final byte[] VALUES = new byte[256];   // six bits for a letter, -1 for everything else

    static {
        Arrays.fill(VALUES, (byte) -1);
        for (int i = 0; i < 64; i++) {
            LETTERS[i] = (byte) ALPHABET.charAt(i);
            VALUES[ALPHABET.charAt(i)] = (byte) i;
        }
        for (int i = 0; i < PAIRS.length; i++) {
            PAIRS[i] = (short) (LETTERS[i >> 6] << 8 | LETTERS[i & 63]);
        }
    }

    private Base64Text() {}

    /** Returns the letters that {@code bytes} bytes are written with. */
    public static long encodedLength(long bytes) {
        return (bytes + 2) / 3 * 4;
    }

    /** Appends {@code size} bytes of {@code source} from {@code offset} on, as text. */
    public static void encode(MemorySegment source, long offset, long size, Content target) {
        long start = target.extend(encodedLength(size));
        encode(source, offset, size, target.buffer(), start);
    }

    /**
     * Writes {@code size} bytes of {@code source} from {@code offset} on as text at {@code start} of {@code target}, which does not overlap
     * them.
     *
     * @return where the text ends in {@code target}
     */
    public static long encode(MemorySegment source, long offset, long size, MemorySegment target, long start) {
        long in = offset;
        long end = offset + size;
        long out = start;
        // Eight bytes are read and six used, so the last two before the end are left to the slow way.
        for (; in + 8 <= end; in += 6, out += 8) {
            long bits = source.get(BIG, in);
            long text = (PAIRS[(int) (bits >>> 52)] & 0xFFFFL) << 48
                    | (PAIRS[(int) (bits >>> 40) & 0xFFF] & 0xFFFFL) << 32
                    | (PAIRS[(int) (bits >>> 28) & 0xFFF] & 0xFFFFL) << 16
                    | PAIRS[(int) (bits >>> 16) & 0xFFF] & 0xFFFFL;
            target.set(BIG, out, text);
        }
        for (; in < end; in += 3, out += 4) {
            long left = end - in;
            int bits = (source.get(BYTE, in) & 0xFF) << 16
                    | (left > 1 ? (source.get(BYTE, in + 1) & 0xFF) << 8 : 0)
                    | (left > 2 ? source.get(BYTE, in + 2) & 0xFF : 0);
            target.set(BYTE, out, LETTERS[bits >> 18]);
            target.set(BYTE, out + 1, LETTERS[bits >> 12 & 63]);
            target.set(BYTE, out + 2, left > 1 ? LETTERS[bits >> 6 & 63] : (byte) '=');
            target.set(BYTE, out + 3, left > 2 ? LETTERS[bits & 63] : (byte) '=');
        }
        return out;
    }

    /**
     * Returns the bytes that a text of {@code size} letters at {@code offset} stands for, by its length and padding alone; -1 when no text
     * has that length.
     */
    public static long decodedLength(MemorySegment text, long offset, long size) {
        if (size == 0) {
            return 0;
        }
        if (size < 0 || size % 4 != 0) {
            return -1;
        }
        int padding = text.get(BYTE, offset + size - 1) != '=' ? 0 : text.get(BYTE, offset + size - 2) != '=' ? 1 : 2;
        return size / 4 * 3 - padding;
    }

    /**
     * Appends the bytes that a text stands for.
     *
     * @return how many bytes, or -1 when it is not base64; nothing is appended then
     */
    public static long decode(MemorySegment text, long offset, long size, Content target) {
        long bytes = decodedLength(text, offset, size);
        if (bytes < 0) {
            return -1;
        }
        long start = target.extend(bytes);
        if (decode(text, offset, size, target.buffer(), start) < 0) {
            target.truncate(start);
            return -1;
        }
        return bytes;
    }

    /**
     * Writes the bytes that a text stands for at {@code start} of {@code target}, which does not overlap it and has room for
     * {@link #decodedLength} bytes.
     *
     * @return how many bytes, or -1 when it is not base64; some may have been written then
     */
    public static long decode(MemorySegment text, long offset, long size, MemorySegment target, long start) {
        long bytes = decodedLength(text, offset, size);
        if (bytes <= 0) {
            return bytes;
        }
        long in = offset;
        long last = offset + size - 4;
        long out = start;
        long whole = start + bytes;
        // Eight bytes are written and six count, so this ends before the last two.
        for (; in + 8 <= last && out + 8 <= whole; in += 8, out += 6) {
            long letters = text.get(LITTLE, in);
            long a = VALUES[(int) letters & 0xFF];
            long b = VALUES[(int) (letters >>> 8) & 0xFF];
            long c = VALUES[(int) (letters >>> 16) & 0xFF];
            long d = VALUES[(int) (letters >>> 24) & 0xFF];
            long e = VALUES[(int) (letters >>> 32) & 0xFF];
            long f = VALUES[(int) (letters >>> 40) & 0xFF];
            long g = VALUES[(int) (letters >>> 48) & 0xFF];
            long h = VALUES[(int) (letters >>> 56)];
            if ((a | b | c | d | e | f | g | h) < 0) {
                return -1;
            }
            target.set(BIG, out, a << 58 | b << 52 | c << 46 | d << 40 | e << 34 | f << 28 | g << 22 | h << 16);
        }
        for (; in < last; in += 4, out += 3) {
            int bits = bits(text, in, 4);
            if (bits < 0) {
                return -1;
            }
            put(target, out, bits, 3);
        }
        int rest = (int) (whole - out);
        int bits = bits(text, in, rest + 1);
        if (bits < 0 || (bits & 0xFFFFFF >>> 8 * rest) != 0) {
            return -1;
        }
        put(target, out, bits, rest);
        return bytes;
    }

    /** Returns the 24 bits that up to four letters stand for, those of missing letters zero; -1 when one of them is no letter. */
    private static int bits(MemorySegment text, long at, int letters) {
        int bits = 0;
        for (int i = 0; i < letters; i++) {
            int value = VALUES[text.get(BYTE, at + i) & 0xFF];
            if (value < 0) {
                return -1;
            }
            bits |= value << 18 - 6 * i;
        }
        return bits;
    }

    private static void put(MemorySegment target, long at, int bits, int bytes) {
        for (int i = 0; i < bytes; i++) {
            target.set(BYTE, at + i, (byte) (bits >> 16 - 8 * i));
        }
    }
}
