package dev.darkbloom.agent.engine;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/**
 * How long the latest requests took from their slot to their first token.
 *
 * @param samples the latest ones; in no order
 */
public record FirstTokenTimes(List<Sample> samples) {
    public static final FirstTokenTimes NONE = new FirstTokenTimes(List.of());

    /** Fewer requests of a length say nothing about the next one. */
    public static final int ENOUGH = 5;

    public FirstTokenTimes {
        samples = List.copyOf(samples);
    }

    /**
     * One request.
     *
     * @param promptTokens of its prompt, cached ones included
     * @param nanos from its slot to its first token
     */
    public record Sample(int promptTokens, long nanos) {}

    /**
     * Returns the time within which a share of the requests had their first token that were about as long: half to twice.
     *
     * @param share 0 to 1
     * @return nanoseconds; empty when there were fewer than {@link #ENOUGH}
     */
    public OptionalLong nanos(long promptTokens, double share) {
        long[] like = samples.stream().filter(one -> one.promptTokens() * 2L >= promptTokens && one.promptTokens() <= promptTokens * 2)
                .mapToLong(Sample::nanos).sorted().toArray();
        if (like.length < ENOUGH) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(like[(int) Math.min(like.length - 1, Math.floor(share * like.length))]);
    }

    /** The window that is written while requests come and go; one writer, any reader. Writing allocates nothing. */
    static final class Window {
        private static final int SIZE = 64;

        private final int[] promptTokens = new int[SIZE]; // guarded by this, as are the next two
        private final long[] nanos = new long[SIZE];
        private long count;

        synchronized void note(int tokens, long tookNanos) {
            int at = (int) (count++ % SIZE);
            promptTokens[at] = tokens;
            nanos[at] = tookNanos;
        }

        synchronized FirstTokenTimes read() {
            var samples = new Sample[(int) Math.min(SIZE, count)];
            for (int i = 0; i < samples.length; i++) {
                samples[i] = new Sample(promptTokens[i], nanos[i]);
            }
            return new FirstTokenTimes(Arrays.asList(samples));
        }
    }
}
