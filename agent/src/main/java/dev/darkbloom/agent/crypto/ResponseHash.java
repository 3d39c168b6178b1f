package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;

/**
 * The hash of an answer as section 8.4 of the protocol defines it: SHA-256 over {@code request_id:completion_tokens:body}, where the body
 * is all chunks joined.
 *
 * <p>The count of tokens stands before the body and is known after it, so the body is kept, outside the heap, until the end. Owned by the
 * request; one thread at a time.
 */
public final class ResponseHash implements AutoCloseable {
    private static final int ROOM_FOR_HEAD = 96; // an id of 64 letters, a long, two colons

    private final Content text = Content.allocate(4096);

    public ResponseHash() {
        text.appendZeros(ROOM_FOR_HEAD);
    }

    /** Adds the plain text of one chunk. */
    public void add(MemorySegment chunk, long offset, long size) {
        text.append(chunk, offset, size);
    }

    /** Returns the hash as 64 lower-case hexadecimal digits. */
    public String finish(RequestId id, long completionTokens) {
        String head = id.value() + ":" + completionTokens + ":";
        long start = ROOM_FOR_HEAD - head.length();
        for (int i = 0; i < head.length(); i++) {
            text.buffer().set(ValueLayout.JAVA_BYTE, start + i, (byte) head.charAt(i));
        }
        try (var arena = Arena.ofConfined()) {
            MemorySegment hash = arena.allocate(Sodium.HASH_BYTES);
            Sodium.load().sha256(hash, text.buffer().asSlice(start, text.length() - start), text.length() - start);
            return HexFormat.of().formatHex(hash.toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** Zeroes and frees the kept text. */
    @Override
    public void close() {
        text.close();
    }
}
