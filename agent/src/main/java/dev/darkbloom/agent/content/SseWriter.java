package dev.darkbloom.agent.content;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * Writes JSON, as a document or as the {@code data:} line of a server-sent event, into a growing buffer outside the heap.
 *
 * <p>The caller places commas and brackets, as literals of its own; text of others goes through {@link #text} or {@link #escaped}. The
 * buffer is reused by {@link #reset} and zeroed by {@link #close}. One thread at a time; allocates nothing once the buffer has
 * its size, but for {@link #segment}'s view.
 */
public final class SseWriter implements AutoCloseable {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final double[] POWERS_OF_TEN = new double[64];

    static {
        for (int i = 0; i < POWERS_OF_TEN.length; i++) {
            POWERS_OF_TEN[i] = Double.parseDouble("1e" + i);
        }
    }

    private final Content out;

    /** Takes {@code out}. */
    SseWriter(Content out) {
        this.out = out;
    }

    /** Returns an empty writer with room for {@code capacity} bytes, for the calling thread; {@link ContentArena#writer} for any thread. */
    public static SseWriter allocate(long capacity) {
        return new SseWriter(Content.confined(capacity));
    }

    /** Forgets what was written; the bytes stay until overwritten or closed. */
    public SseWriter reset() {
        out.clear();
        return this;
    }

    /** Begins the data line of an event: writes {@code data: }. */
    public SseWriter beginData() {
        return raw("data: ");
    }

    /** Writes a literal of ours as it is: ASCII, valid JSON where it stands. */
    public SseWriter raw(String ascii) {
        out.appendAscii(ascii);
        return this;
    }

    /** Writes one ASCII character of ours as it is. */
    public SseWriter letter(char ascii) {
        out.append((byte) ascii);
        return this;
    }

    /** Writes bytes as they are, which have to be valid JSON where they stand. */
    public SseWriter raw(MemorySegment bytes, long offset, long size) {
        out.append(bytes, offset, size);
        return this;
    }

    /** Writes all bytes as they are. */
    public SseWriter raw(MemorySegment bytes) {
        return raw(bytes, 0, bytes.byteSize());
    }

    /** Writes what another writer holds, as it is. */
    public SseWriter raw(SseWriter other) {
        return raw(other.out.buffer(), 0, other.out.length());
    }

    /** Writes a JSON string: valid UTF-8, quoted and escaped. */
    public SseWriter text(MemorySegment utf8, long offset, long size) {
        out.append((byte) '"');
        escaped(utf8, offset, size);
        out.append((byte) '"');
        return this;
    }

    /** Writes a JSON string: valid UTF-8, quoted and escaped. */
    public SseWriter text(MemorySegment utf8) {
        return text(utf8, 0, utf8.byteSize());
    }

    /** Writes a JSON string that is a setting or a name of ours, not content. */
    public SseWriter setting(String value) {
        try (Content utf8 = Content.confined(value.length() * 3L + 1)) {
            for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
                utf8.append(b);
            }
            return text(utf8.buffer(), 0, utf8.length());
        }
    }

    /** Writes the inside of a JSON string: valid UTF-8, escaped, without quotes. */
    public SseWriter escaped(MemorySegment utf8, long offset, long size) {
        long end = offset + size;
        long at = offset;
        while (at < end) {
            long plain = at;
            while (plain < end && isPlain(utf8.get(BYTE, plain))) {
                plain++;
            }
            out.append(utf8, at, plain - at);
            if (plain < end) {
                escape(utf8.get(BYTE, plain));
            }
            at = plain + 1;
        }
        return this;
    }

    private static boolean isPlain(byte b) {
        return (b >= 0x20 || b < 0) && b != '"' && b != '\\';
    }

    private void escape(byte b) {
        switch (b) {
            case '"' -> out.appendAscii("\\\"");
            case '\\' -> out.appendAscii("\\\\");
            case '\n' -> out.appendAscii("\\n");
            case '\r' -> out.appendAscii("\\r");
            case '\t' -> out.appendAscii("\\t");
            case '\b' -> out.appendAscii("\\b");
            case '\f' -> out.appendAscii("\\f");
            default -> {
                out.appendAscii(b < 0x10 ? "\\u000" : "\\u001");
                out.append((byte) Character.forDigit(b & 0xF, 16));
            }
        }
    }

    /** Writes an integer. */
    public SseWriter number(long value) {
        if (value == Long.MIN_VALUE) {
            return raw("-9223372036854775808");
        }
        if (value < 0) {
            out.append((byte) '-');
            value = -value;
        }
        long power = 1;
        while (value / power >= 10) {
            power *= 10;
        }
        for (; power > 0; power /= 10) {
            out.append((byte) ('0' + value / power % 10));
        }
        return this;
    }

    /** Writes a number with at most {@code decimals} digits after the point, 0 to 9; 0 for what is not finite or beyond ±1e9. */
    public SseWriter fixed(double value, int decimals) {
        if (!(Math.abs(value) < 1e9)) {
            return raw("0");
        }
        long scaled = Math.round(Math.abs(value) * POWERS_OF_TEN[decimals]);
        if (value < 0 && scaled > 0) {
            out.append((byte) '-');
        }
        long unit = (long) POWERS_OF_TEN[decimals];
        number(scaled / unit);
        fraction(scaled % unit, decimals);
        return this;
    }

    /** Writes a point and a fraction of {@code digits} digits without its trailing zeros; nothing when it is zero. */
    private void fraction(long fraction, int digits) {
        if (fraction == 0) {
            return;
        }
        while (fraction % 10 == 0) {
            fraction /= 10;
            digits--;
        }
        out.append((byte) '.');
        for (long power = (long) POWERS_OF_TEN[digits - 1]; power > 0; power /= 10) {
            out.append((byte) ('0' + fraction / power % 10));
        }
    }

    /** Writes a {@code float} with nine significant digits, which read back as the same {@code float}; 0 for what is not finite. */
    public SseWriter number(float value) {
        double magnitude = Math.abs((double) value);
        if (magnitude == 0 || !(magnitude <= Float.MAX_VALUE)) {
            return raw("0");
        }
        int exponent = (int) Math.floor(Math.log10(magnitude));
        long digits = nineDigits(magnitude, exponent);
        if (digits >= 1_000_000_000L) { // rounding, or log10 a hair too small
            digits = nineDigits(magnitude, ++exponent);
        } else if (digits < 100_000_000L) {
            digits = nineDigits(magnitude, --exponent);
        }
        if (value < 0) {
            out.append((byte) '-');
        }
        if (exponent >= 0 && exponent <= 8) {
            long unit = (long) POWERS_OF_TEN[8 - exponent];
            number(digits / unit);
            fraction(digits % unit, 8 - exponent);
        } else if (exponent < 0 && exponent >= -5) {
            raw("0");
            fraction(digits, 8 - exponent);
        } else {
            out.append((byte) ('0' + digits / 100_000_000L));
            fraction(digits % 100_000_000L, 8);
            out.append((byte) 'e');
            number(exponent);
        }
        return this;
    }

    private static long nineDigits(double magnitude, int exponent) {
        int shift = 8 - exponent;
        return Math.round(shift >= 0 ? magnitude * POWERS_OF_TEN[shift] : magnitude / POWERS_OF_TEN[-shift]);
    }

    /** Returns a view of what was written; valid until the next write, {@link #reset} or {@link #close}. */
    public MemorySegment segment() {
        return out.segment();
    }

    /** Returns the whole buffer, of which the first {@link #length} bytes were written; valid until the next write. Spares a view. */
    public MemorySegment buffer() {
        return out.buffer();
    }

    /** Returns the bytes written since the last reset. */
    public long length() {
        return out.length();
    }

    @Override
    public void close() {
        out.close();
    }

    @Override
    public String toString() {
        return "SseWriter[bytes=" + out.length() + "]";
    }
}
