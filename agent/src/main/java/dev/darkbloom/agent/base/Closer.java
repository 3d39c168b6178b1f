package dev.darkbloom.agent.base;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Closes what was registered, newest first, and goes on when one of them fails.
 *
 * <p>Used by the thread that builds and ends a thing; not for sharing.
 */
public final class Closer implements AutoCloseable {
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    /** Registers {@code closeable} and returns it. */
    public <T extends AutoCloseable> T add(T closeable) {
        open.push(closeable);
        return closeable;
    }

    /** Closes everything; the first failure is thrown with the later ones suppressed. A second call does nothing. */
    @Override
    public void close() {
        Throwable first = null;
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (Throwable t) {
                if (first == null) {
                    first = t;
                } else {
                    first.addSuppressed(t);
                }
            }
        }
        switch (first) {
            case null -> { }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable t -> throw new AgentException(ErrorCode.INTERNAL, "closing failed: " + t.getClass().getSimpleName(), t);
        }
    }
}
