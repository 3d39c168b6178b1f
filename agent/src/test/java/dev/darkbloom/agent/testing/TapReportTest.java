package dev.darkbloom.agent.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.TapReport.Case;
import org.junit.jupiter.api.Test;

class TapReportTest {
    private static final String TWO_CASES = """
            TAP version 13
            # Subtest: it answers
            ok 1 - it answers
              ---
              duration_ms: 1
              ...
            # Subtest: finds \\#2 - and more
                # Subtest: inner
                not ok 1 - inner
            not ok 2 - finds \\#2 - and more
              ---
              error: 'expected 1'
              ...
            ok 3 - later # SKIP needs the demo model
            1..3
            # tests 3
            """;

    @Test
    void testsOfTheOutermostLevelAreCasesWithWhatFollowsThem() {
        TapReport report = TapReport.read(TWO_CASES, 1);

        assertThat(report.cases()).containsExactly(
                new Case("it answers", true, "", "  ---\n  duration_ms: 1\n  ...\n"),
                new Case("finds #2 - and more", false, "", "  ---\n  error: 'expected 1'\n  ...\n"),
                new Case("later", true, "needs the demo model", ""));
        assertThat(report.isWhole()).isTrue();
    }

    @Test
    void aProgramThatReportsNothingOrEndsOtherwiseThanItSaysIsNotWhole() {
        assertThat(TapReport.read("TAP version 13\n1..0\n", 0).isWhole()).isFalse();
        assertThat(TapReport.read(TWO_CASES, 0).isWhole()).isFalse();
        assertThat(TapReport.read("ok 1 - it answers\n", 137).isWhole()).isFalse();
    }
}
