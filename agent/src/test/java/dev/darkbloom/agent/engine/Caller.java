package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.TokenRing;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.SamplerSettings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/** A request as its own thread sees it: its memory, its ring, the tokens read so far. Used by one thread at a time. */
final class Caller implements AutoCloseable {
    private static final AtomicLong IDS = new AtomicLong();
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment prompt;
    private final int promptTokens;
    private int maxTokens = 16;
    private int ringCapacity = 64;
    private int topLogprobs = -1;
    private long deadlineNanos = Long.MAX_VALUE;
    private Grammar grammar;
    private boolean reusesCache = true;
    private Origin origin = Origin.LOCAL;
    private SamplerSettings sampling = SamplerSettings.greedy();
    private TokenRing ring;
    private Generation generation;
    private int[] read = new int[16];
    private int readCount;

    private Caller(int[] prompt) {
        this.prompt = arena.allocateFrom(ValueLayout.JAVA_INT, prompt);
        promptTokens = prompt.length;
    }

    static Caller of(int... prompt) {
        return new Caller(prompt);
    }

    Caller max(int tokens) {
        maxTokens = tokens;
        return this;
    }

    Caller ring(int capacity) {
        ringCapacity = capacity;
        return this;
    }

    Caller logprobs(int top) {
        topLogprobs = top;
        return this;
    }

    Caller deadline(long nanos) {
        deadlineNanos = nanos;
        return this;
    }

    /** Has all of the prompt computed. */
    Caller anew() {
        reusesCache = false;
        return this;
    }

    Caller from(Origin where) {
        origin = where;
        return this;
    }

    Caller sampling(SamplerSettings settings) {
        sampling = settings;
        return this;
    }

    Caller grammar(Grammar compiled) {
        grammar = compiled;
        return this;
    }

    Caller submit(ModelLease lease) {
        ring = TokenRing.allocate(ringCapacity, Math.max(0, topLogprobs));
        generation = lease.submit(request());
        return this;
    }

    GenerationRequest request() {
        if (ring == null) {
            ring = TokenRing.allocate(ringCapacity, Math.max(0, topLogprobs));
        }
        return new GenerationRequest(new RequestId("r" + IDS.incrementAndGet()), prompt, promptTokens, maxTokens, sampling, grammar,
                topLogprobs, deadlineNanos, origin, reusesCache, ring);
    }

    Generation generation() {
        return generation;
    }

    TokenRing ring() {
        return ring;
    }

    /** Reads to the end and returns all tokens. */
    int[] readAll() throws Exception {
        read(Integer.MAX_VALUE);
        return tokens();
    }

    /** Reads until so many tokens have come in all, or to the end. */
    Caller read(int count) throws Exception {
        long start = System.nanoTime();
        while (readCount < count && !(generation.isFinished() && ring.size() == 0)) {
            generation.await(PATIENCE_NANOS); // a wake-up that was lost shows as a timeout, not as a slow test
            drain(count);
            if (System.nanoTime() - start > PATIENCE_NANOS) {
                throw new TimeoutException("after " + readCount + " tokens: " + generation.progress());
            }
        }
        return this;
    }

    private void drain(int count) {
        while (ring.size() > 0 && readCount < count) {
            if (readCount == read.length) {
                read = Arrays.copyOf(read, 2 * readCount);
            }
            read[readCount++] = ring.token(ring.firstEntry());
            ring.advance();
        }
    }

    /** Waits for the end without reading. */
    Caller awaitEnd() throws Exception {
        long start = System.nanoTime();
        while (!generation.isFinished()) {
            generation.await(TimeUnit.MILLISECONDS.toNanos(1));
            if (System.nanoTime() - start > PATIENCE_NANOS) {
                throw new TimeoutException("not ended: " + generation.progress());
            }
            Thread.onSpinWait();
        }
        return this;
    }

    int[] tokens() {
        return Arrays.copyOf(read, readCount);
    }

    /** Returns how it ended: a finish reason or an error code. */
    Enum<?> ending() {
        return switch (generation.outcome().orElseThrow()) {
            case Outcome.Finished(FinishReason reason) -> reason;
            case Outcome.Failed(var error) -> error.code();
        };
    }

    /** Frees the request's memory at once, as a holder may when the generation is finished. */
    @Override
    public void close() {
        arena.close();
        if (ring != null) {
            ring.close();
        }
    }
}
