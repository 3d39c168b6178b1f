package dev.darkbloom.agent.api;

import dev.darkbloom.agent.content.Content;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Words in and out of segments, for tests. */
final class Texts {
    private Texts() {}

    static MemorySegment segment(String text) {
        return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8));
    }

    static String text(Content content) {
        return new String(content.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }
}
