package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.content.Content;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Text into segments and back, for tests only: production code never makes this step. */
public final class OffHeap {
    private OffHeap() {}

    /** Returns UTF-8 bytes outside the heap, without a terminating zero. */
    public static MemorySegment utf8(String text) {
        return bytes(text.getBytes(StandardCharsets.UTF_8));
    }

    public static MemorySegment bytes(byte[] bytes) {
        MemorySegment segment = Arena.ofAuto().allocate(Math.max(1, bytes.length));
        MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
        return segment.asSlice(0, bytes.length);
    }

    public static String text(MemorySegment utf8) {
        return new String(utf8.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    public static String text(Content content) {
        return text(content.segment());
    }

    /** Returns a request body; the caller closes it. */
    public static Content body(String json) {
        MemorySegment bytes = utf8(json);
        Content content = Content.allocate(bytes.byteSize());
        content.append(bytes);
        return content;
    }
}
