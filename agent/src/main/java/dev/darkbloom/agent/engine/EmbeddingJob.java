package dev.darkbloom.agent.engine;

import java.lang.foreign.MemorySegment;

/** One input whose embedding a thread waits for. Its segments are borrowed until {@link #ending} is set. */
final class EmbeddingJob extends Job {
    final MemorySegment tokens;
    final int tokenCount;
    final MemorySegment target;

    EmbeddingJob(MemorySegment tokens, MemorySegment target, Mailbox mailbox, long submittedNanos) {
        super(mailbox, submittedNanos, Long.MAX_VALUE);
        this.tokens = tokens;
        this.tokenCount = Math.toIntExact(tokens.byteSize() / Integer.BYTES);
        this.target = target;
    }

    @Override
    boolean isNews() {
        return ending() != null;
    }

    /**
     * Waits for the end. An interrupt cancels the job and is thrown only after the engine has let go of the segments.
     */
    void awaitEnd() throws InterruptedException {
        boolean interrupted = false;
        while (ending() == null) {
            try {
                awaitNews(Long.MAX_VALUE);
            } catch (InterruptedException e) {
                interrupted = true;
                requestCancel();
            }
        }
        if (Thread.interrupted() || interrupted) {
            throw new InterruptedException();
        }
    }
}
