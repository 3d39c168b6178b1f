package dev.darkbloom.agent.service.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SpreadTest {
    @Test
    void theMedianIsTheMiddleOrTheMeanOfTheTwoInIt() {
        assertThat(Benchmark.Spread.of(List.of(3.0, 1.0, 2.0))).isEqualTo(new Benchmark.Spread(2, 1, 3));
        assertThat(Benchmark.Spread.of(List.of(4.0, 1.0, 2.0, 3.0))).isEqualTo(new Benchmark.Spread(2.5, 1, 4));
        assertThat(Benchmark.Spread.of(List.of(7.0))).isEqualTo(new Benchmark.Spread(7, 7, 7));
    }
}
