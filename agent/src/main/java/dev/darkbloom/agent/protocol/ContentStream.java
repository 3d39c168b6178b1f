package dev.darkbloom.agent.protocol;

import dev.darkbloom.agent.content.Content;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;

/** Appends to a content, for Jackson. */
final class ContentStream extends OutputStream {
    private final Content content;

    /** Borrows {@code content}. */
    ContentStream(Content content) {
        this.content = content;
    }

    Content content() {
        return content;
    }

    @Override
    public void write(int b) {
        content.append((byte) b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        content.append(MemorySegment.ofArray(bytes), offset, length);
    }
}
