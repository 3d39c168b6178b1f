package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class BackoffTest {
    /** Draws the largest number allowed. */
    private static final RandomGenerator LONGEST = new RandomGenerator() {
        @Override
        public long nextLong() {
            return 0;
        }

        @Override
        public long nextLong(long bound) {
            return bound - 1;
        }
    };

    @Test
    void theLimitDoublesUpToItsCap() {
        var backoff = Backoff.standard(LONGEST);

        var waits = java.util.stream.Stream.generate(() -> backoff.afterConnectionOf(Duration.ZERO).toSeconds()).limit(8).toList();

        assertThat(waits).containsExactly(1L, 2L, 4L, 8L, 16L, 30L, 30L, 30L);
    }

    @Test
    void aConnectionThatLastedResetsItAndOneThatDidNotDoesNot() {
        var backoff = Backoff.standard(LONGEST);
        backoff.afterConnectionOf(Duration.ZERO);
        backoff.afterConnectionOf(Duration.ZERO);

        assertThat(backoff.afterConnectionOf(Duration.ofSeconds(59))).isEqualTo(Duration.ofSeconds(4));
        assertThat(backoff.afterConnectionOf(Duration.ofSeconds(60))).isEqualTo(Duration.ofSeconds(1));
        assertThat(backoff.failures()).isEqualTo(1);
    }

    @Test
    void waitsAreSpreadOverTheWholeRange() {
        var random = new Random(7);

        var first = java.util.stream.Stream.generate(() -> Backoff.standard(random).afterConnectionOf(Duration.ZERO).toMillis()).limit(1000).toList();

        assertThat(first).allMatch(wait -> wait >= 0 && wait <= 1000);
        assertThat(first.stream().filter(wait -> wait < 500).count()).isBetween(400L, 600L);
    }

    @Test
    void aThousandFailuresDoNotOverflow() {
        var backoff = Backoff.standard(LONGEST);
        for (int i = 0; i < 1000; i++) {
            backoff.afterConnectionOf(Duration.ZERO);
        }

        assertThat(backoff.afterConnectionOf(Duration.ZERO)).isEqualTo(Duration.ofSeconds(30));
    }
}
