package dev.darkbloom.agent.content;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Joins the pieces of tokens into whole UTF-8 characters; a token's border may lie inside a character.
 *
 * <p>Bytes that can never become a character turn into U+FFFD, one per maximal subpart (the Unicode standard, section 3.9, "U+FFFD
 * Substitution of Maximal Subparts"; the JDK's decoder differs for surrogates only). At most three bytes of a character that is still
 * incomplete are held. One thread at a time; allocates nothing.
 */
public final class Utf8Assembler {
    private int held;       // the bytes of the incomplete character, first one highest
    private int heldBytes;  // 0 to 3
    private int missing;    // continuation bytes still to come
    private int lowest;     // range of the next byte
    private int highest;

    /** Appends to {@code out} the characters that {@code size} further bytes complete. */
    public void add(MemorySegment bytes, long offset, long size, Content out) {
        long end = offset + size;
        long at = offset;
        while (at < end) {
            if (missing == 0) {
                long ascii = at;
                while (ascii < end && bytes.get(ValueLayout.JAVA_BYTE, ascii) >= 0) {
                    ascii++;
                }
                if (ascii > at) {
                    out.append(bytes, at, ascii - at);
                    at = ascii;
                    continue;
                }
            }
            if (accept(bytes.get(ValueLayout.JAVA_BYTE, at) & 0xFF, out)) {
                at++;
            }
        }
    }

    /** Ends the text: a character that is still incomplete becomes U+FFFD. */
    public void flush(Content out) {
        if (missing > 0) {
            replace(out);
        }
    }

    /** Returns whether a character is incomplete. */
    public boolean isHolding() {
        return missing > 0;
    }

    /** Returns false when the byte ended a broken character and has to be looked at again. */
    private boolean accept(int b, Content out) {
        if (missing == 0) {
            begin(b, out);
            return true;
        }
        if (b < lowest || b > highest) {
            replace(out);
            return false;
        }
        held = held << 8 | b;
        heldBytes++;
        missing--;
        lowest = 0x80;
        highest = 0xBF;
        if (missing == 0) {
            for (int shift = 8 * (heldBytes - 1); shift >= 0; shift -= 8) {
                out.append((byte) (held >>> shift));
            }
            held = 0;
            heldBytes = 0;
        }
        return true;
    }

    /** Looks at a first byte; the ranges of the second are those of table 3-7, "well-formed UTF-8 byte sequences". */
    private void begin(int b, Content out) {
        if (b < 0x80) {
            out.append((byte) b);
            return;
        }
        if (b < 0xC2 || b > 0xF4) {
            replace(out);
            return;
        }
        held = b;
        heldBytes = 1;
        missing = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
        lowest = switch (b) {
            case 0xE0 -> 0xA0;
            case 0xF0 -> 0x90;
            default -> 0x80;
        };
        highest = switch (b) {
            case 0xED -> 0x9F;
            case 0xF4 -> 0x8F;
            default -> 0xBF;
        };
    }

    private void replace(Content out) {
        out.append((byte) 0xEF);
        out.append((byte) 0xBF);
        out.append((byte) 0xBD);
        held = 0;
        heldBytes = 0;
        missing = 0;
    }
}
