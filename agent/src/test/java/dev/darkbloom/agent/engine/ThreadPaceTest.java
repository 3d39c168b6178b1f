package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ThreadPaceTest {
    private static final long STEP = 10_000_000;

    private final ThreadPace pace = new ThreadPace(4, 8);
    private long now;

    /** Steps of one row for so long, at the speed and the share of a core that its threads have. */
    private void run(long nanos, long stepWithAll, long stepWithFewer, double onCore) {
        long end = now + nanos;
        while (now < end) {
            long step = pace.threads() == 4 ? stepWithAll : stepWithFewer;
            now += step;
            pace.observe(1, step, (long) (step * (pace.threads() == 4 ? onCore : 0.99)), now);
        }
    }

    @Test
    void allThreadsStayWhileNobodyElseNeedsTheCores() {
        run(60_000_000_000L, STEP, 2 * STEP, 0.97);

        assertThat(pace.threads()).isEqualTo(4);
    }

    @Test
    void halfAreTakenAwayWhereThatGetsMoreDoneAndGivenBackAfterwards() {
        run(1_000_000_000, 50 * STEP, 2 * STEP, 0.5);
        assertThat(pace.threads()).isEqualTo(2);

        run(120_000_000_000L, STEP, 2 * STEP, 0.97);
        assertThat(pace.threads()).isEqualTo(4);
    }

    @Test
    void aShareThatCanBeBorneIsLeftToOthers() {
        run(5_000_000_000L, STEP, 2 * STEP, 0.97);
        for (int i = 0; i < 3000; i++) {
            run(1, STEP + STEP / 2, 2 * STEP, 0.7);
            assertThat(pace.threads()).isEqualTo(4);
        }
    }

    @Test
    void theyStayWhereFewerGetLessDone() {
        run(5_000_000_000L, STEP / 4, 2 * STEP, 0.97);
        int fewer = 0;
        int steps = 0;
        for (int i = 0; i < 3000; i++) {
            run(1, STEP, 2 * STEP, 0.7);
            steps++;
            fewer += pace.threads() == 2 ? 1 : 0;
        }

        assertThat(fewer).isPositive().isLessThan(steps / 10);
    }

    @Test
    void tryingAllAgainIsRareWhereItIsDear() {
        run(5_000_000_000L, 600 * STEP, 2 * STEP, 0.3);
        long wasted = 0;
        long begun = now;
        while (now - begun < 600_000_000_000L) {
            boolean all = pace.threads() == 4;
            long before = now;
            run(1, 600 * STEP, 2 * STEP, 0.3);
            wasted += all ? now - before : 0;
        }

        assertThat(wasted).isPositive().isLessThan((now - begun) / 5);
    }

    @Test
    void oneThreadIsLeftAlone() {
        var single = new ThreadPace(1, 8);
        for (int i = 0; i < 1000; i++) {
            single.observe(1, STEP, STEP / 10, i * STEP);
        }

        assertThat(single.threads()).isEqualTo(1);
    }
}
