package dev.darkbloom.agent.testing.coordinator;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Waits for what must come, and fails the test when it does not. */
final class Waits {
    static final long PATIENCE_SECONDS = 20;

    private Waits() {}

    /** Waits for the next of {@code queue}. */
    static <T> T take(BlockingQueue<T> queue, String otherwise) {
        try {
            T found = queue.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (found == null) {
                throw late(otherwise);
            }
            return found;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    static void await(CountDownLatch latch, String otherwise) {
        try {
            if (!latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw late(otherwise);
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static AssertionError late(String otherwise) {
        return new AssertionError(otherwise + " within " + PATIENCE_SECONDS + " s");
    }
}
