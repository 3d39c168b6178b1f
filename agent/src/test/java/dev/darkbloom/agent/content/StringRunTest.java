package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Eight bytes at a time find what one byte at a time finds. */
class StringRunTest {
    private static long plainByByte(byte[] text, int at) {
        while (at < text.length && text[at] >= 0x20 && text[at] != '"' && text[at] != '\\') {
            at++;
        }
        return at;
    }

    private static long unescapedByByte(byte[] text, int at) {
        while (at < text.length && text[at] != '"' && text[at] != '\\') {
            at++;
        }
        return at;
    }

    private static void check(byte[] text) {
        MemorySegment segment = OffHeap.bytes(text);
        for (int at = 0; at <= text.length; at++) {
            assertThat(StringRun.endOfPlain(segment, at, text.length)).isEqualTo(plainByByte(text, at));
            assertThat(StringRun.endOfUnescaped(segment, at, text.length)).isEqualTo(unescapedByByte(text, at));
        }
    }

    @Test
    void everyByteAtEveryPlaceIsSeenForWhatItIs() {
        for (int b = 0; b < 256; b++) {
            for (int place = 0; place < 19; place++) {
                byte[] text = "abcdefghijklmnopqrs".getBytes(StandardCharsets.US_ASCII);
                text[place] = (byte) b;
                check(text);
            }
        }
    }

    @Test
    void neighboursDoNotHideEachOther() {
        byte[] remarkable = {0, 1, 0x1f, 0x20, 0x21, '"', '#', '[', '\\', ']', 0x7f, (byte) 0x80, (byte) 0xa0, (byte) 0xa2, (byte) 0xdc, (byte) 0xff};
        var random = new Random(7);
        for (int i = 0; i < 20_000; i++) {
            var text = new byte[random.nextInt(24)];
            for (int at = 0; at < text.length; at++) {
                text[at] = random.nextInt(3) == 0 ? remarkable[random.nextInt(remarkable.length)] : (byte) 'x';
            }
            check(text);
        }
    }

    @Test
    void whatLiesBehindTheEndIsNotLookedAt() {
        MemorySegment text = OffHeap.utf8("plain\"");

        assertThat(StringRun.endOfPlain(text, 0, 3)).isEqualTo(3);
        assertThat(StringRun.endOfUnescaped(text, 0, 5)).isEqualTo(5);
        assertThat(text.get(ValueLayout.JAVA_BYTE, 5)).isEqualTo((byte) '"');
    }
}
