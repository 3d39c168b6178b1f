package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class Utf8AssemblerTest {
    private static final Pattern CHARACTER_OR_SUBPART = Pattern.compile(
            "([\\x00-\\x7F]|[\\xC2-\\xDF]T|\\xE0[\\xA0-\\xBF]T|[\\xE1-\\xEC\\xEE\\xEF]TT|\\xED[\\x80-\\x9F]T|\\xF0[\\x90-\\xBF]TT|[\\xF1-\\xF3]TTT|\\xF4[\\x80-\\x8F]TT)"
                    .replace("T", "[\\x80-\\xBF]")
                    + "|\\xE0[\\xA0-\\xBF]|[\\xE1-\\xEC\\xEE\\xEF]T|\\xED[\\x80-\\x9F]|\\xF0[\\x90-\\xBF]T?|[\\xF1-\\xF3]TT?|\\xF4[\\x80-\\x8F]T?|."
                            .replace("T", "[\\x80-\\xBF]"),
            Pattern.DOTALL);

    @Test
    void aCharacterComesOutWhenItsLastByteIsIn() {
        var assembler = new Utf8Assembler();
        MemorySegment rocket = OffHeap.utf8("🚀");
        try (Content out = Content.confined(16)) {
            for (int i = 0; i < 3; i++) {
                assembler.add(rocket, i, 1, out);
                assertThat(out.length()).isZero();
                assertThat(assembler.isHolding()).isTrue();
            }
            assembler.add(rocket, 3, 1, out);

            assertThat(OffHeap.text(out)).isEqualTo("🚀");
            assertThat(assembler.isHolding()).isFalse();
        }
    }

    @Test
    void theEndTurnsAnIncompleteCharacterIntoOneReplacement() {
        var assembler = new Utf8Assembler();
        try (Content out = Content.confined(16)) {
            assembler.add(OffHeap.bytes(new byte[] {'a', (byte) 0xF0, (byte) 0x9F}), 0, 3, out);
            assembler.flush(out);
            assembler.flush(out);

            assertThat(OffHeap.text(out)).isEqualTo("a\uFFFD");
        }
    }

    @Test
    void everySplitOfAnyBytesGivesWhatTheUnicodeTableSays() {
        var random = new Random(20261124);
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = randomBytes(random);
            MemorySegment segment = OffHeap.bytes(bytes);
            var assembler = new Utf8Assembler();
            try (Content out = Content.confined(16)) {
                int at = 0;
                while (at < bytes.length) {
                    int size = Math.min(bytes.length - at, random.nextInt(4));
                    assembler.add(segment, at, size, out);
                    at += size;
                }
                assembler.flush(out);

                assertThat(OffHeap.text(out)).isEqualTo(byTheTable(bytes));
                if (!byTheTable(bytes).contains("\uFFFD")) {
                    assertThat(OffHeap.text(out)).isEqualTo(new String(bytes, StandardCharsets.UTF_8));
                }
            }
        }
    }

    /** Table 3-7 of the Unicode standard as a pattern over bytes, and the beginnings of its rows, which are the maximal subparts. */
    private static String byTheTable(byte[] bytes) {
        var text = new StringBuilder();
        Matcher matcher = CHARACTER_OR_SUBPART.matcher(new String(bytes, StandardCharsets.ISO_8859_1));
        while (matcher.find()) {
            byte[] part = matcher.group().getBytes(StandardCharsets.ISO_8859_1);
            text.append(matcher.group(1) == null ? "\uFFFD" : new String(part, StandardCharsets.UTF_8));
        }
        return text.toString();
    }

    /** Valid characters of every length, with some bytes changed, cut or put in. */
    private static byte[] randomBytes(Random random) {
        var text = new StringBuilder();
        int characters = random.nextInt(12);
        for (int i = 0; i < characters; i++) {
            text.appendCodePoint(switch (random.nextInt(4)) {
                case 0 -> random.nextInt(0x80);
                case 1 -> 0x80 + random.nextInt(0x780);
                case 2 -> 0x800 + random.nextInt(0xD000);
                default -> 0x10000 + random.nextInt(0x100000);
            });
        }
        byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
        for (int i = random.nextInt(4); i > 0 && bytes.length > 0; i--) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        return bytes;
    }
}
