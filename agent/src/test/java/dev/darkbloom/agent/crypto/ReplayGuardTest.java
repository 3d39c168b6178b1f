package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReplayGuardTest {
    @Test
    void theLastOnesAreKnownAndTheMemoryIsBounded() {
        var guard = new ReplayGuard(100);
        for (int i = 0; i < 10_000; i++) {
            assertThat(guard.isNew(i, -i)).isTrue();
            for (int back = 0; back < Math.min(i, 100); back += 33) {
                assertThat(guard.isNew(i - back, back - i)).as("%d before %d", back, i).isFalse();
            }
            assertThat(guard.size()).isLessThanOrEqualTo(200);
        }
    }

    @Test
    void halfAFingerprintIsAnother() {
        var guard = new ReplayGuard();

        assertThat(guard.isNew(1, 2)).isTrue();
        assertThat(guard.isNew(1, 3)).isTrue();
        assertThat(guard.isNew(2, 2)).isTrue();
    }

    @Test
    void ofTwoThreadsWithTheSameOnlyOneIsFirst() {
        var guard = new ReplayGuard();
        var first = new AtomicInteger();
        IntStream.range(0, 8_000).parallel().forEach(i -> {
            if (guard.isNew(i / 8, 0)) {
                first.incrementAndGet();
            }
        });

        assertThat(first).hasValue(1_000);
    }

    @Test
    void aGuardThatRemembersNothingIsNone() {
        assertThatIllegalArgumentException().isThrownBy(() -> new ReplayGuard(0));
    }
}
