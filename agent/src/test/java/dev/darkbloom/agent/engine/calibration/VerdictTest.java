package dev.darkbloom.agent.engine.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.darkbloom.agent.engine.calibration.Verdict.Certainty;
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
        assertThat(verdict.speedup()).isCloseTo(100.0 / 108, within(1e-3));
        assertThat(verdict.isNoise()).isFalse();
    }

    @Test
    void aGainHasToBeBeyondDoubt() {
        ComputeSettings without = EIGHT.withFlashAttention(FlashAttention.OFF);

        Verdict doubtful = Verdict.of(List.of(trial(EIGHT, 112, 108), trial(without, 100, 100)), 0.05);
        Verdict clear = Verdict.of(List.of(trial(EIGHT, 112, 108, 112, 108), trial(without, 100, 100, 100, 100)), 0.05);

        assertThat(doubtful.pick()).as("two rounds, 4 %% apart").isEqualTo(EIGHT);
        assertThat(doubtful.certainty()).isEqualTo(Certainty.DOUBTFUL);
        assertThat(clear.pick()).as("four rounds, 4 %% apart").isEqualTo(without);
        assertThat(clear.certainty()).isEqualTo(Certainty.CLEAR);
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
    void roundsThatDifferTooMuchDecideNothing() {
        Verdict verdict = Verdict.of(List.of(trial(EIGHT, 100, 140), trial(FOUR, 100, 100)), 0.1);

        assertThat(verdict).isEqualTo(new Verdict(EIGHT, 1, verdict.spread(), Certainty.NOISE));
        assertThat(verdict.spread()).isCloseTo(0.4, within(1e-9));
    }

    @Test
    void whatIsBetterInEveryRoundByMoreThanRoundsDifferIsTakenHoweverTheyDiffer() {
        ComputeSettings without = EIGHT.withFlashAttention(FlashAttention.OFF);

        Verdict verdict = Verdict.of(List.of(trial(EIGHT, 100, 150, 125), trial(without, 50, 50, 50)), 0.05);

        assertThat(verdict.pick()).isEqualTo(without);
        assertThat(verdict.speedup()).isCloseTo(2.5, within(1e-9));
        assertThat(verdict.spread()).isCloseTo(0.5, within(1e-9));
        assertThat(verdict.isNoise()).isFalse();
    }

    @Test
    void wholeStandstillsAreNoGain() {
        ComputeSettings polling = EIGHT.withPoll(50);

        assertThat(Verdict.of(List.of(trial(EIGHT, 1500, 10_000, 4000), trial(polling, 10, 10, 10)), 0.1).certainty()).isEqualTo(Certainty.NOISE);
    }

    @Test
    void aMachineThatIsSlowForAWhileIsSlowForBoth() {
        ComputeSettings without = EIGHT.withFlashAttention(FlashAttention.OFF);

        Verdict verdict = Verdict.of(List.of(trial(EIGHT, 100, 300, 150, 200), trial(without, 80, 240, 120, 160)), 0.05);

        assertThat(verdict).isEqualTo(new Verdict(without, verdict.speedup(), verdict.spread(), Certainty.CLEAR));
        assertThat(verdict.speedup()).isCloseTo(1.25, within(1e-9));
        assertThat(verdict.spread()).isCloseTo(0, within(1e-9));
    }

    @Test
    void aQuietOneThatOnlySometimesWinsIsNotTaken() {
        Verdict verdict = Verdict.of(List.of(trial(EIGHT, 100, 100, 100), trial(ONE, 60, 140, 90)), 0.1);

        assertThat(verdict.pick()).isEqualTo(EIGHT);
        assertThat(verdict.isNoise()).isTrue();
    }

    @Test
    void oneRoundOfFourMayBeDisturbed() {
        double[] usual = {100, 101, 102, 103, 100, 101, 100, 101};
        double[] disturbed = {150, 151, 500, 152, 90, 153, 151, 152};

        assertThat(Verdict.of(List.of(trial(EIGHT, usual), trial(FOUR, disturbed)), 0.1)).satisfies(verdict -> {
            assertThat(verdict.certainty()).isEqualTo(Certainty.CLEAR);
            assertThat(verdict.pick()).isEqualTo(EIGHT);
        });
        disturbed[0] = 70;
        disturbed[1] = 80;
        assertThat(Verdict.of(List.of(trial(EIGHT, usual), trial(FOUR, disturbed)), 0.1).certainty()).isEqualTo(Certainty.NOISE);
    }

    @Test
    void oneSlowVisitOfFourIsPassedOver() {
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 101, 102, 900), trial(FOUR, 150, 151, 152, 153)), 0.1).isNoise()).isFalse();
        assertThat(Verdict.of(List.of(trial(EIGHT, 100, 101, 800, 900), trial(FOUR, 150, 151, 152, 153)), 0.1).isNoise()).isTrue();
    }

    private static Trial trial(ComputeSettings settings, double... costs) {
        var trial = new Trial(settings);
        for (double cost : costs) {
            trial.add(cost, 1);
        }
        return trial;
    }
}
