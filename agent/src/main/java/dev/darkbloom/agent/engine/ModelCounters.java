package dev.darkbloom.agent.engine;

import java.util.concurrent.atomic.AtomicLong;

/**
 * One model's numbers since its load. Written by the model's loop alone, but for {@link #refused}; read by anyone, each number exact, all of
 * them together not of one moment.
 */
final class ModelCounters {
    /** A number with one writer: cheaper than an atomic increment, and readers never see it torn. */
    static final class Counter {
        private final AtomicLong value = new AtomicLong();

        void add(long more) {
            value.setRelease(value.getPlain() + more);
        }

        void set(long now) {
            value.setRelease(now);
        }

        long read() {
            return value.getAcquire();
        }
    }

    final Counter busySlots = new Counter();
    final Counter usedTokens = new Counter();
    /** Of the requests in slots: prompts, and what they have produced. */
    final Counter runningTokens = new Counter();
    /** What they may still produce. */
    final Counter promisedTokens = new Counter();
    final Counter promptTokens = new Counter();
    final Counter cachedTokens = new Counter();
    final Counter generatedTokens = new Counter();
    final Counter steps = new Counter();
    final Counter finished = new Counter();
    /** Of those, the ones that the model itself ended after at most one token. */
    final Counter brief = new Counter();
    final Counter failed = new Counter();
    final Counter cancelled = new Counter();
    final Counter rebuilds = new Counter();
    /** Tokens per second × 1000. */
    final Counter prefillMilliRate = new Counter();
    /** Tokens per second × 1000. */
    final Counter decodeMilliRate = new Counter();
    /** Tokens per second of one stream × 1000. */
    final Counter streamMilliRate = new Counter();
    /** Requests that were given a slot. */
    final Counter admitted = new Counter();
    final Counter firstTokens = new Counter();
    /** By the engine's clock; nothing before {@link #steps}. */
    final Counter lastStepNanos = new Counter();
    /** By the engine's clock; nothing before {@link #firstTokens}. */
    final Counter lastFirstTokenNanos = new Counter();
    /** Of the requests in the queue: prompts, and what they may produce. */
    final Counter queuedTokens = new Counter();
    /** Most that {@link #runningTokens} has been. */
    final Counter peakRunningTokens = new Counter();
    final FirstTokenTimes.Window firstTokenTimes = new FirstTokenTimes.Window();
    /** Written by the threads that ask. */
    final AtomicLong refused = new AtomicLong();

    /** Counts a step that ended at {@code nowNanos}; what runs has been counted. */
    void countStep(long nowNanos) {
        lastStepNanos.set(nowNanos);
        steps.add(1);
        long running = runningTokens.read();
        if (running > peakRunningTokens.read()) {
            peakRunningTokens.set(running);
        }
    }

    /** Counts a request's first token. */
    void countFirstToken(int promptTokens, long slotNanos, long nowNanos) {
        lastFirstTokenNanos.set(nowNanos);
        firstTokens.add(1);
        firstTokenTimes.note(promptTokens, nowNanos - slotNanos);
    }

    /** Counts an ended request. */
    void countEnd(Generation.Outcome outcome) {
        Counter counter = switch (outcome) {
            case Generation.Outcome.Finished(var reason) -> switch (reason) {
                case STOP, LENGTH -> finished;
                case CANCELLED -> cancelled;
            };
            case Generation.Outcome.Failed _ -> failed;
        };
        counter.add(1);
    }
}
