package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.testing.WatchedArenas;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class TokenRingTest {
    @Test
    void capacityIsRoundedUpToAPowerOfTwoAndAFullRingSaysSo() {
        try (TokenRing ring = TokenRing.allocate(3, 0)) {
            int put = 0;
            while (ring.hasRoom()) {
                ring.put(put++);
            }
            assertThat(put).isEqualTo(4);
            assertThat(ring.size()).isEqualTo(4);

            assertThat(ring.token(ring.firstEntry())).isZero();
            ring.advance();

            assertThat(ring.hasRoom()).isTrue();
        }
    }

    @Test
    void entriesCarryLogProbabilities() {
        try (TokenRing ring = TokenRing.allocate(2, 2)) {
            long entry = ring.nextEntry();
            ring.memory().set(ValueLayout.JAVA_FLOAT, entry + 4, -0.5f);
            ring.memory().set(ValueLayout.JAVA_INT, entry + 16, 77);
            ring.memory().set(ValueLayout.JAVA_FLOAT, entry + 20, -2f);
            ring.put(5);

            long first = ring.firstEntry();
            assertThat(ring.token(first)).isEqualTo(5);
            assertThat(ring.logprob(first)).isEqualTo(-0.5f);
            assertThat(ring.topToken(first, 1)).isEqualTo(77);
            assertThat(ring.topLogprob(first, 1)).isEqualTo(-2f);
        }
    }

    @Test
    void twoThreadsPassAMillionTokensInOrder() throws InterruptedException {
        int tokens = 1_000_000;
        try (TokenRing ring = TokenRing.allocate(64, 1)) {
            Thread producer = Thread.ofPlatform().start(() -> {
                for (int i = 0; i < tokens; i++) {
                    while (!ring.hasRoom()) {
                        Thread.onSpinWait();
                        Thread.yield();
                    }
                    ring.memory().set(ValueLayout.JAVA_FLOAT, ring.nextEntry() + 4, i);
                    ring.put(i);
                }
            });
            long wrong = 0;
            for (int i = 0; i < tokens; i++) {
                while (ring.size() == 0) {
                    Thread.onSpinWait();
                    Thread.yield();
                }
                long entry = ring.firstEntry();
                if (ring.token(entry) != i || ring.logprob(entry) != i) {
                    wrong++;
                }
                ring.advance();
            }
            producer.join();
            assertThat(wrong).isZero();
            assertThat(ring.size()).isZero();
        }
    }

    @Test
    void useAfterCloseFailsInJavaAndSecondCloseDoesNothing() {
        TokenRing ring = TokenRing.allocate(4, 0);
        ring.put(1);
        ring.close();
        ring.close();

        assertThatThrownBy(() -> ring.put(2)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ring.token(0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void closingZeroesTheEntries() {
        var arenas = new WatchedArenas();
        var ring = new TokenRing(4, 2, arenas.get());
        ring.put(7);
        ring.put(8);
        ring.advance();

        ring.close();

        assertThat(arenas.open()).isZero();
        assertThat(arenas.leftovers()).isZero();
    }

    @Test
    void wrongSizesAreRefused() {
        assertThatThrownBy(() -> TokenRing.allocate(0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TokenRing.allocate(4, 21)).isInstanceOf(IllegalArgumentException.class);
    }
}
