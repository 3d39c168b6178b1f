package dev.darkbloom.agent.coordinator;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Times of one thing done many times. */
record Quantiles(long[] nanos) {
    /** Returns the time that the given share was done within, in nanoseconds. */
    long at(double share) {
        long[] sorted = nanos.clone();
        Arrays.sort(sorted);
        return sorted[(int) Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    }

    /** Returns those of a part. */
    Quantiles part(int from, int to) {
        return new Quantiles(Arrays.copyOfRange(nanos, from, to));
    }

    /** Returns members of a JSON object whose names begin with {@code name}, in units of {@code unit} nanoseconds. */
    String json(String name, double unit) {
        return Stream.of(10, 50, 90, 99)
                .map(percent -> String.format(Locale.ROOT, "\"%s_p%d\": %.2f", name, percent, at(percent / 100.0) / unit))
                .collect(Collectors.joining(", "));
    }
}
