package dev.darkbloom.agent.bench;

import dev.darkbloom.agent.engine.ModelLease;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * Rounds of answers that are decoded together, and a look at the engine's counters early and late in each: what was produced between the
 * two looks is steady decode of all streams, as {@code llama-bare} counts it. Prefill lies before the first look.
 *
 * <p>The looks are at a tenth and at nine tenths of a round, so that the sequences are as long on average as over a whole one. A look may
 * fall anywhere in a step: an error of one step at most, up as often as down. One thread.
 */
final class DecodeRounds implements AutoCloseable {
    private static final int MOST_RETRIES = 20;

    private final ModelLease lease;
    private final List<String> prompts;
    private final int predict;
    private final long warmupNanos;
    private final List<StreamOfTokens> streams = new ArrayList<>();
    /** By number of streams and kind of readers: how long a round takes, in nanoseconds from its first token. */
    private final Map<String, Long> roundNanos = new HashMap<>();

    /**
     * What was measured.
     *
     * @param tokens tokens of all streams in the windows
     * @param nanos length of the windows
     * @param rounds windows
     * @param warmupNanos decoding done before, at this number of streams; 0 when it had been warmed up already
     */
    record Figure(long tokens, long nanos, int rounds, long warmupNanos) {
        double tokensPerSecond() {
            return tokens * 1e9 / nanos;
        }
    }

    /** Borrows {@code lease}; stream i answers prompt i, from the beginning again where they end. */
    DecodeRounds(ModelLease lease, List<String> prompts, int predict, long warmupNanos) {
        this.lease = lease;
        this.prompts = prompts;
        this.predict = predict;
        this.warmupNanos = warmupNanos;
    }

    /** Measures for at least so long, not counting what lies outside the windows. */
    Figure measure(int count, long nanos, boolean withReaders) throws InterruptedException {
        while (streams.size() < count) {
            streams.add(new StreamOfTokens(lease, prompts.get(streams.size() % prompts.size()), predict));
        }
        String kind = count + (withReaders ? " await" : " none");
        long warmed = 0;
        while (!roundNanos.containsKey(kind) || warmed > 0 && warmed < warmupNanos) {
            warmed += wholeRound(count, withReaders, kind);
        }
        long tokens = 0;
        long measured = 0;
        int rounds = 0;
        int retries = 0;
        while (measured < nanos) {
            Figure window = window(count, withReaders, kind);
            if (window == null) {
                if (++retries > MOST_RETRIES) {
                    throw new IllegalStateException("rounds end before they can be looked at twice; ask for more tokens with --predict");
                }
                continue;
            }
            tokens += window.tokens();
            measured += window.nanos();
            rounds++;
        }
        return new Figure(tokens, measured, rounds, warmed);
    }

    /** Runs a round and notes how long it took; returns that. */
    private long wholeRound(int count, boolean withReaders, String kind) throws InterruptedException {
        begin(count, withReaders);
        long begun = System.nanoTime();
        end(count);
        long took = Math.max(1, System.nanoTime() - begun);
        roundNanos.put(kind, took);
        return took;
    }

    /** Runs a round and looks twice; null when an answer had ended at the second look. */
    private Figure window(int count, boolean withReaders, String kind) throws InterruptedException {
        long expected = roundNanos.get(kind);
        begin(count, withReaders);
        long begun = System.nanoTime();
        parkUntil(begun + expected / 10);
        long from = System.nanoTime();
        long before = produced(count);
        parkUntil(begun + expected / 10 * 9);
        long to = System.nanoTime();
        long after = produced(count);
        boolean whole = true;
        for (int i = 0; i < count; i++) {
            whole &= !streams.get(i).isFinished();
        }
        end(count);
        roundNanos.put(kind, whole ? Math.max(1, System.nanoTime() - begun) : expected / 2); // the round before had met a busy machine
        return whole ? new Figure(after - before, to - from, 1, 0) : null;
    }

    private void begin(int count, boolean withReaders) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            streams.get(i).begin(withReaders);
        }
        for (int i = 0; i < count; i++) {
            streams.get(i).awaitFirst();
        }
    }

    private void end(int count) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            streams.get(i).end();
        }
    }

    private long produced(int count) {
        long tokens = 0;
        for (int i = 0; i < count; i++) {
            tokens += streams.get(i).generated();
        }
        return tokens;
    }

    private static void parkUntil(long nanos) {
        for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    @Override
    public void close() {
        streams.forEach(StreamOfTokens::close);
    }
}
