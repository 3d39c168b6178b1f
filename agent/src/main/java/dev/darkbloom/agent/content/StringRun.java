package dev.darkbloom.agent.content;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Finds where the unremarkable part of a JSON string ends, eight bytes at a time.
 *
 * <p>Each test sets the high bit of a byte that it finds. A borrow may set bits above such a byte as well, never below it, so the lowest one,
 * which is the first in the text, is right. Stateless.
 */
final class StringRun {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long ONES = 0x0101010101010101L;
    private static final long HIGH = 0x8080808080808080L;

    private StringRun() {}

    /** Returns the place of the first quote, backslash, control character or byte beyond ASCII, or {@code end}. */
    static long endOfPlain(MemorySegment text, long at, long end) {
        while (at + 8 <= end) {
            long bytes = text.get(LONG, at);
            long found = (bytes | bytes - ONES * 0x20 & ~bytes | zeros(bytes ^ ONES * '"') | zeros(bytes ^ ONES * '\\')) & HIGH;
            if (found != 0) {
                return at + (Long.numberOfTrailingZeros(found) >> 3);
            }
            at += 8;
        }
        while (at < end) {
            byte b = text.get(ValueLayout.JAVA_BYTE, at);
            if (b < 0x20 || b == '"' || b == '\\') {
                return at;
            }
            at++;
        }
        return end;
    }

    /** Returns the place of the first quote or backslash, or {@code end}. */
    static long endOfUnescaped(MemorySegment text, long at, long end) {
        while (at + 8 <= end) {
            long bytes = text.get(LONG, at);
            long found = (zeros(bytes ^ ONES * '"') | zeros(bytes ^ ONES * '\\')) & HIGH;
            if (found != 0) {
                return at + (Long.numberOfTrailingZeros(found) >> 3);
            }
            at += 8;
        }
        while (at < end) {
            byte b = text.get(ValueLayout.JAVA_BYTE, at);
            if (b == '"' || b == '\\') {
                return at;
            }
            at++;
        }
        return end;
    }

    private static long zeros(long bytes) {
        return bytes - ONES & ~bytes;
    }
}
