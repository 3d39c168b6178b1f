package dev.darkbloom.agent.content;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The memory of one answer: everything that turns its tokens into events lies in it.
 *
 * <p>One arena for all, since closing a shared one costs tens of microseconds: every thread of the process is asked whether it is inside. Any
 * thread may use what lies in it, one at a time; the contents are closed before it.
 */
public final class ContentArena implements AutoCloseable {
    private final Arena arena = Arena.ofShared();

    /** Returns empty content in this arena; its old place stays taken, zeroed, when it grows. */
    public Content content(long capacity) {
        return new Content(capacity, () -> new Part(arena));
    }

    /** Returns an empty writer in this arena. */
    public SseWriter writer(long capacity) {
        return new SseWriter(content(capacity));
    }

    /** Returns an empty ring in this arena; parameters as in {@link TokenRing#allocate}. */
    public TokenRing ring(int capacity, int topLogprobs) {
        TokenRing.check(capacity, topLogprobs);
        return new TokenRing(capacity, topLogprobs, new Part(arena));
    }

    @Override
    public void close() {
        arena.close();
    }

    /** A view of the arena for one content, which closes it when it has zeroed its bytes. */
    private record Part(Arena whole) implements Arena {
        @Override
        public MemorySegment allocate(long bytes, long alignment) {
            return whole.allocate(bytes, alignment);
        }

        @Override
        public MemorySegment.Scope scope() {
            return whole.scope();
        }

        @Override
        public void close() {
            // the whole is closed at once
        }
    }
}
