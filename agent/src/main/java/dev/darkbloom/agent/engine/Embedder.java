package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.ThreadOwner;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Iterator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Computes embeddings: each input is run whole as one sequence, several beside each other in a batch, and leaves nothing behind.
 *
 * <p>An input is never split: pooling looks at all its tokens at once, and a backend ends the process when an encoder's batch is larger than
 * {@code n_ubatch} ({@code llama_context::encode}). Hence a batch takes no more than one ubatch.
 */
@Confined("engine-<model>")
final class Embedder implements Workload {
    private static final Logger log = LoggerFactory.getLogger(Embedder.class);
    private static final Outcome DONE = new Outcome.Finished(FinishReason.STOP);

    private final String modelId;
    private final NanoClock clock;
    private final ModelCounters counters;
    private final Finisher finisher;
    private final ArrayDeque<EmbeddingJob> waiting = new ArrayDeque<>();
    /** Inputs in the batch; the index is the sequence. */
    private final EmbeddingJob[] running;
    private final ThreadOwner owner = new ThreadOwner();
    private int runningCount;
    private TokenDecoder decoder;

    Embedder(String modelId, TokenDecoder decoder, NanoClock clock, ModelCounters counters, Finisher finisher) {
        this.modelId = modelId;
        this.decoder = decoder;
        this.clock = clock;
        this.counters = counters;
        this.finisher = finisher;
        this.running = new EmbeddingJob[decoder.sequences()];
    }

    /** Returns the most tokens an input may have. */
    static int longestInput(TokenDecoder decoder) {
        return Math.min(decoder.ubatchTokens(), decoder.contextTokensPerSequence());
    }

    @Override
    public void accept(Job job) {
        var input = (EmbeddingJob) job;
        if (input.isCancelRequested()) {
            finisher.cancel(input);
        } else {
            waiting.add(input);
        }
    }

    @Override
    public void sweep(long nowNanos) {
        for (Iterator<EmbeddingJob> all = waiting.iterator(); all.hasNext(); ) {
            EmbeddingJob input = all.next();
            if (input.isCancelRequested()) {
                all.remove();
                finisher.cancel(input);
            }
        }
    }

    @Override
    public long nextDeadlineNanos() {
        return Long.MAX_VALUE;
    }

    @Override
    public boolean isRunnable() {
        return !waiting.isEmpty();
    }

    @Override
    public boolean step(long nowNanos) {
        owner.check();
        if (waiting.isEmpty()) {
            return false;
        }
        plan(running.length);
        counters.busySlots.set(runningCount);
        int code = decode();
        if (code != TokenDecoder.DECODED) {
            var error = code == TokenDecoder.NO_KV_ROOM
                    ? new AgentException(ErrorCode.NO_KV_SPACE, "no room for an input of " + running[0].tokenCount + " tokens")
                    : new AgentException(ErrorCode.GENERATION_FAILED, "the computation was aborted");
            for (int sequence = 0; sequence < runningCount; sequence++) {
                decoder.removeFrom(sequence, 0);
            }
            endRunning(error);
            return true;
        }
        counters.countStep(clock.nanoTime());
        long tokens = decoder.batchSize();
        counters.promptTokens.add(tokens);
        long nanos = Math.max(1, clock.nanoTime() - nowNanos);
        counters.prefillMilliRate.set((long) (tokens * 1e12 / nanos));
        handOut();
        return true;
    }

    /** Takes inputs into the batch, in the order in which they came, as long as the next one fits. */
    private void plan(int most) {
        decoder.clearBatch();
        int room = Math.min(decoder.batchTokens(), decoder.ubatchTokens());
        while (runningCount < most && !waiting.isEmpty() && waiting.peek().tokenCount <= room - decoder.batchSize()) {
            EmbeddingJob input = waiting.poll();
            int sequence = runningCount++;
            running[sequence] = input; // before anything can fail, so that it is ended in any case
            for (int i = 0; i < input.tokenCount; i++) {
                decoder.add(input.tokens.getAtIndex(ValueLayout.JAVA_INT, i), i, sequence, true);
            }
        }
    }

    /** Runs the batch, with fewer inputs while there is no room; returns the last code, which is not negative. */
    private int decode() {
        while (true) {
            int code = decoder.decode();
            if (code < 0) {
                throw new AgentException(ErrorCode.DECODE_FATAL, "decoding failed with code " + code);
            }
            if (code != TokenDecoder.NO_KV_ROOM || runningCount == 1) {
                return code;
            }
            int fewer = runningCount / 2;
            while (runningCount > 0) {
                waiting.addFirst(running[--runningCount]);
            }
            plan(fewer);
            counters.busySlots.set(runningCount);
        }
    }

    private void handOut() {
        while (runningCount > 0) {
            int sequence = --runningCount;
            EmbeddingJob input = running[sequence];
            running[sequence] = null;
            Outcome outcome = DONE;
            try {
                decoder.copyEmbedding(sequence, input.target);
                decoder.removeFrom(sequence, 0);
            } catch (RuntimeException e) {
                log.error("embedding failed model={}", modelId, e);
                outcome = new Outcome.Failed(new AgentException(ErrorCode.GENERATION_FAILED,
                        "the embedding could not be read: " + e.getClass().getSimpleName(), e));
            }
            counters.busySlots.set(runningCount);
            finisher.end(input, outcome);
        }
    }

    @Override
    public void endRunning(AgentException error) {
        while (runningCount > 0) {
            EmbeddingJob input = running[--runningCount];
            running[runningCount] = null;
            counters.busySlots.set(runningCount);
            finisher.end(input, new Outcome.Failed(error));
        }
    }

    @Override
    public void endAll(AgentException error) {
        endRunning(error);
        while (!waiting.isEmpty()) {
            finisher.end(waiting.poll(), new Outcome.Failed(error));
        }
    }

    @Override
    public void use(TokenDecoder fresh) {
        decoder = fresh;
    }

    @Override
    public void close() {
        // Holds nothing: inputs and targets are their callers'.
    }
}
