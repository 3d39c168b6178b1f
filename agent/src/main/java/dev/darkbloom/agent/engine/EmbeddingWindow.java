package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.engine.Generation.Outcome;
import java.util.ArrayDeque;

/**
 * The inputs of one caller that are with the engine at the same time, the oldest first, so that they share batches. One thread; when it
 * is closed the engine holds none of them any more.
 */
final class EmbeddingWindow implements AutoCloseable {
    private final int most;
    private final ArrayDeque<EmbeddingJob> running = new ArrayDeque<>();

    /** Makes one that holds {@code most} inputs. */
    EmbeddingWindow(int most) {
        this.most = most;
    }

    boolean isEmpty() {
        return running.isEmpty();
    }

    boolean isFull() {
        return running.size() >= most;
    }

    /** Adds an input that the engine has got. */
    void add(EmbeddingJob job) {
        running.add(job);
    }

    /**
     * Waits for the end of the oldest.
     *
     * @throws AgentException what it failed with
     */
    void finishOldest() throws InterruptedException {
        running.element().awaitEnd();
        if (running.remove().ending() instanceof Outcome.Failed(var error)) {
            throw error;
        }
    }

    /** Cancels what is left and waits until the engine has let go of it. An interrupt stays pending. */
    @Override
    public void close() {
        running.forEach(EmbeddingJob::requestCancel);
        boolean interrupted = false;
        while (!running.isEmpty()) {
            try {
                running.remove().awaitEnd();
            } catch (InterruptedException e) {
                interrupted = true; // it has ended all the same
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
