package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Base64;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The JDK's own coder says what is right. */
class Base64TextTest {
    private static final String ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    private static byte[] decoded(String text) {
        try (Content target = Content.confined(4)) {
            target.append((byte) 7);
            MemorySegment letters = OffHeap.utf8(text);
            long size = Base64Text.decode(letters, 0, letters.byteSize(), target);
            if (size < 0) {
                assertThat(target.length()).isEqualTo(1);
                return null;
            }
            assertThat(target.length()).isEqualTo(1 + size);
            return target.segment().asSlice(1).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Test
    void everyLengthIsWrittenAndReadAsTheJdkDoes() {
        var random = new Random(1);
        for (int size = 0; size < 400; size++) {
            var bytes = new byte[size];
            random.nextBytes(bytes);
            String expected = Base64.getEncoder().encodeToString(bytes);
            try (Content target = Content.confined(4)) {
                target.append((byte) '"');
                Base64Text.encode(OffHeap.bytes(bytes), 0, size, target);

                assertThat(OffHeap.text(target)).isEqualTo("\"" + expected);
            }
            assertThat(decoded(expected)).as("%d bytes", size).isEqualTo(bytes);
        }
    }

    @Test
    void bytesFromAnOffsetOnGoToAnOffset() {
        MemorySegment source = OffHeap.utf8("..content..");
        MemorySegment text = OffHeap.bytes(new byte[20]);
        MemorySegment back = OffHeap.bytes(new byte[10]);

        long end = Base64Text.encode(source, 2, 7, text, 3);
        long size = Base64Text.decode(text, 3, end - 3, back, 2);

        assertThat(OffHeap.text(text.asSlice(3, end - 3))).isEqualTo("Y29udGVudA==");
        assertThat(size).isEqualTo(7);
        assertThat(OffHeap.text(back.asSlice(2, 7))).isEqualTo("content");
    }

    @ParameterizedTest
    @ValueSource(strings = {"A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AA==AAAA", "AAA=AAA=", "AAAA\n", "AAAA\r\nAA==", "AA A",
            "AAA-", "AAA_", "AAAAAAAAAAAA!AAAAAAAAAAA", "AB==", "AAB=", "AAAAAAAAAAAAAAAAAAAAAAB=", "AAAé", "    "})
    void whatIsNotTheBase64OfAnythingIsRefused(String text) {
        assertThat(decoded(text)).isNull();
    }

    @Test
    void oneWrongLetterAnywhereIsSeen() {
        String text = "ABCD".repeat(16);
        for (int at = 0; at < text.length(); at++) {
            for (int letter = 0; letter < 128; letter++) {
                char c = (char) letter;
                boolean padding = c == '=' && at == text.length() - 1;
                if (ALPHABET.indexOf(c) < 0 && !padding) {
                    assertThat(decoded(text.substring(0, at) + c + text.substring(at + 1))).as("%d at %d", letter, at).isNull();
                }
            }
        }
    }
}
