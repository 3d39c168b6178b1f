package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StepPaceTest {
    private static final long TARGET = 100_000_000;
    /** Tokens of a long prompt. */
    private static final int LONG = 8000;

    /** Runs steps of a machine that takes so long per prompt token, and returns the last chunk. */
    private static int settle(StepPace pace, int most, long nanosPerToken) {
        int chunk = 0;
        for (int i = 0; i < 30; i++) {
            chunk = pace.chunk(most, false, LONG);
            pace.observe(chunk, 0, chunk * nanosPerToken);
        }
        return chunk;
    }

    @Test
    void firstChunkIsSmallSinceNothingIsKnown() {
        assertThat(new StepPace(TARGET, 512).chunk(2048, false, LONG)).isEqualTo(32);
    }

    @Test
    void firstChunkIsWhatFitsWhereCalibrationKnowsTheSpeed() {
        assertThat(new StepPace(TARGET, 512, 500_000, 0).chunk(2048, false, LONG)).isEqualTo(200);
        assertThat(new StepPace(TARGET, 512, 80_000, 0).chunk(2048, false, LONG)).isEqualTo(1024);
        assertThat(new StepPace(TARGET, 512, 80_000, 0).chunk(100, false, LONG)).isEqualTo(100);
        assertThat(new StepPace(TARGET, 512, 1_000_000_000, 0).chunk(2048, false, LONG)).isEqualTo(8);
    }

    @Test
    void whatCalibrationKnewIsCorrectedByWhatIsSeen() {
        assertThat(settle(new StepPace(TARGET, 512, 500_000, 0), 2048, 1_000_000)).isBetween(100, 101);
    }

    @Test
    void theOwnersChunkIsTakenWhateverItCosts() {
        var pace = new StepPace(TARGET, 512, 1, 96);

        assertThat(settle(pace, 2048, 1_000_000_000)).isEqualTo(96);
        assertThat(pace.chunk(50, true, LONG)).isEqualTo(50);
    }

    @Test
    void chunkGrowsToWhatFitsTheTarget() {
        assertThat(settle(new StepPace(TARGET, 4096), 4096, 100_000)).isEqualTo(1000);
    }

    @Test
    void chunkAboveAUbatchIsAMultipleOfIt() {
        assertThat(settle(new StepPace(TARGET, 512), 4096, 80_000)).isEqualTo(1024);
    }

    @Test
    void chunkIsNoLargerThanTheRoom() {
        assertThat(settle(new StepPace(TARGET, 512), 200, 1000)).isEqualTo(200);
    }

    @Test
    void slowMachineStillMakesProgress() {
        assertThat(settle(new StepPace(TARGET, 512), 2048, 1_000_000_000)).isEqualTo(8);
    }

    @Test
    void runningStreamsTakeTheirPartOfTheStep() {
        var pace = new StepPace(TARGET, 4096);
        settle(pace, 4096, 100_000);
        for (int i = 0; i < 50; i++) {
            pace.observe(0, 4, 60_000_000);
        }

        assertThat(pace.chunk(4096, true, LONG)).isBetween(395, 405);
        assertThat(pace.chunk(4096, false, LONG)).isBetween(995, 1005);
    }

    @Test
    void aLongPromptDoesNotDoubleTheGapsOfRunningStreams() {
        var pace = new StepPace(TARGET, 4096);
        settle(pace, 4096, 1_000_000);
        for (int i = 0; i < 50; i++) {
            pace.observe(0, 4, 40_000_000);
        }
        for (int i = 0; i < 200; i++) { // a prompt whose tokens become dearer the further it is read
            int chunk = pace.chunk(4096, true, LONG);
            long step = 40_000_000 + chunk * (1_000_000L + 10_000L * i);

            assertThat(step).isLessThan(2 * 40_000_000L);
            pace.observe(chunk, 4, step);
        }
    }

    @Test
    void aPromptOfDearTokensIsReadInCrumbsBesideStreams() {
        var pace = new StepPace(TARGET, 4096);
        settle(pace, 4096, 12_000_000);
        for (int i = 0; i < 50; i++) {
            pace.observe(0, 4, 38_000_000);
        }
        for (int i = 0; i < 50; i++) {
            int chunk = pace.chunk(4096, true, LONG);

            assertThat(chunk).isEqualTo(2);
            pace.observe(chunk, 4, 38_000_000 + chunk * 12_000_000L);
        }
    }

    @Test
    void aPauseThatNobodySeesIsAllowedBesideQuickStreams() {
        var pace = new StepPace(TARGET, 4096);
        settle(pace, 4096, 100_000);
        for (int i = 0; i < 50; i++) {
            pace.observe(0, 4, 500_000);
        }

        assertThat(pace.chunk(4096, true, LONG)).isBetween(115, 125);
    }

    @Test
    void aShortPromptIsReadInFewStepsBesideStreams() {
        var pace = new StepPace(TARGET, 4096);
        settle(pace, 4096, 1_000_000);
        for (int i = 0; i < 50; i++) {
            pace.observe(0, 4, 10_000_000);
        }

        assertThat(pace.chunk(4096, true, 200)).isBetween(49, 51); // a step of 60 ms
        assertThat(pace.chunk(4096, true, 210)).isBetween(11, 13); // a long one: 12 ms more
        for (int i = 0; i < 50; i++) {
            pace.observe(0, 16, 50_000_000);
        }
        assertThat(pace.chunk(4096, true, 200)).isBetween(36, 38); // three quarters more, which 60 ms would not be
        assertThat(pace.chunk(4096, true, 210)).isBetween(36, 38);
    }

    @Test
    void ratesAreZeroBeforeTheFirstStep() {
        var pace = new StepPace(TARGET, 512);

        assertThat(pace.prefillTokensPerSecond()).isZero();
        assertThat(pace.decodeTokensPerSecond()).isZero();
    }

    @Test
    void ratesFollowWhatIsObserved() {
        var pace = new StepPace(TARGET, 512);
        settle(pace, 512, 1_000_000);
        pace.observe(0, 8, 4_000_000);

        assertThat(pace.prefillTokensPerSecond()).isEqualTo(1000, org.assertj.core.api.Assertions.within(1.0));
        assertThat(pace.decodeTokensPerSecond()).isEqualTo(2000, org.assertj.core.api.Assertions.within(1.0));
    }
}
