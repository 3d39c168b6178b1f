package dev.darkbloom.agent.engine.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import java.util.List;
import org.junit.jupiter.api.Test;

class VerdictTest {
    private static final ComputeSettings EIGHT = ComputeSettings.safe(8, 512, 512);
    private static final ComputeSettings FOUR = EIGHT.withThreads(4);
    private static final ComputeSettings ONE = EIGHT.withThreads(1);

    @Test
    void fewerThreadsAreTakenWhereTheyCostNextToNothing() {
        Verdict verdict = Verdict.of(List.of(trial(EIGHT, 100, 101), trial(FOUR, 108, 109), trial(ONE, 300, 301)), 0.1);

        assertThat(verdict.pick()).isEqualTo(FOUR);
        assertThat(verdict.speedup()).isCloseTo(100.0 / 108, within(1e-9));
        assertThat(verdict.isNoise()).isFalse();
    }

    @Test
    void aGainHasToBeLargerThanTheSpread() {
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 101), trial(FOUR, 115, 116)), 0.1).pick()).isEqualTo(EIGHT);
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 120), trial(FOUR, 115, 116)), 0.1).pick()).isEqualTo(FOUR);
    }

    @Test
    void pollingHasToPay() {
        ComputeSettings polling = EIGHT.withPoll(50);

        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 100), trial(polling, 95, 95)), 0.1).pick()).isEqualTo(EIGHT);
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 100), trial(polling, 80, 80)), 0.1).pick()).isEqualTo(polling);
    }

    @Test
    void amongEquallyQuietOnesWhatIsInUseStays() {
        ComputeSettings without = EIGHT.withFlashAttention(FlashAttention.OFF);

        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 100), trial(without, 97, 97)), 0.05).pick()).isEqualTo(EIGHT);
        assertThat(Verdict.of(List.of(trial(without, 100, 100), trial(EIGHT, 97, 97)), 0.05).pick()).isEqualTo(without);
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 100), trial(without, 90, 90)), 0.05).pick()).isEqualTo(without);
    }

    @Test
    void visitsThatDifferTooMuchDecideNothing() {
        Verdict verdict = Verdict.of(List.of(trial(EIGHT, 100, 140), trial(FOUR, 50, 51)), 0.1);

        assertThat(verdict).isEqualTo(new Verdict(EIGHT, 1, verdict.spread(), true));
        assertThat(verdict.spread()).isCloseTo(0.4, within(1e-9));
    }

    @Test
    void oneSlowVisitOfFourIsPassedOver() {
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 101, 102, 900), trial(FOUR, 150, 151, 152, 153)), 0.1).isNoise()).isFalse();
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 101, 800, 900), trial(FOUR, 150, 151, 152, 153)), 0.1).isNoise()).isTrue();
    }

    private static Trial trial(ComputeSettings settings, double... costs) {
        var trial = new Trial(settings);
        for (double cost : costs) {
            trial.add(cost);
        }
        return trial;
    }
}
