package dev.darkbloom.agent.testing.coordinator;

import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.RequestBox;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Strings into boxes and out of them, as they stand in a message. On the heap: a coordinator reads what it passes on. */
final class SealedText {
    private SealedText() {}

    /** Returns {@code json} sealed, in base64. */
    static String seal(RequestBox box, String json) {
        byte[] utf8 = json.getBytes(StandardCharsets.UTF_8);
        try (Content plain = Content.confined(utf8.length); Content sealed = Content.confined(utf8.length + 64);
                Content text = Content.confined(utf8.length * 2L)) {
            plain.append(MemorySegment.ofArray(utf8));
            box.seal(plain.buffer(), 0, plain.length(), sealed);
            Base64Text.encode(sealed.buffer(), 0, sealed.length(), text);
            return new String(text.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
        }
    }

    /** Returns what {@code ciphertext}, in base64, says. */
    static String open(RequestBox box, String ciphertext) {
        byte[] ascii = ciphertext.getBytes(StandardCharsets.US_ASCII);
        try (Content plain = Content.confined(ascii.length); Content text = Content.confined(ascii.length)) {
            text.append(MemorySegment.ofArray(ascii));
            box.openText(text.buffer(), 0, text.length(), plain);
            return new String(plain.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        }
    }
}
