package dev.darkbloom.agent.testing;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Makes arenas that are looked at when they close: how many bytes were not zero then, and which arenas are still open. */
public final class WatchedArenas implements Supplier<Arena> {
    private int opened;
    private int closed;
    private long leftovers;

    @Override
    public Arena get() {
        opened++;
        return new Watched();
    }

    public int opened() {
        return opened;
    }

    public int open() {
        return opened - closed;
    }

    /** Returns the bytes that were not zero when their arena was closed. */
    public long leftovers() {
        return leftovers;
    }

    private final class Watched implements Arena {
        private final Arena arena = Arena.ofConfined();
        private final List<MemorySegment> segments = new ArrayList<>();

        @Override
        public MemorySegment allocate(long byteSize, long byteAlignment) {
            MemorySegment segment = arena.allocate(byteSize, byteAlignment);
            segments.add(segment);
            return segment;
        }

        @Override
        public MemorySegment.Scope scope() {
            return arena.scope();
        }

        @Override
        public void close() {
            closed++;
            for (MemorySegment segment : segments) {
                leftovers += segment.elements(ValueLayout.JAVA_BYTE).filter(b -> b.get(ValueLayout.JAVA_BYTE, 0) != 0).count();
            }
            arena.close();
        }
    }
}
