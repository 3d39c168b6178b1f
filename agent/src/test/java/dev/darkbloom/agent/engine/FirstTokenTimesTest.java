package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FirstTokenTimesTest {
    @Test
    void onlyRequestsAboutAsLongCount() {
        var window = new FirstTokenTimes.Window();
        for (int i = 0; i < FirstTokenTimes.ENOUGH; i++) {
            window.note(100, 1);
            window.note(10_000, 1000 + i);
        }

        assertThat(window.read().nanos(10_000, 0.5)).hasValue(1002);
        assertThat(window.read().nanos(20_000, 0)).hasValue(1000);
        assertThat(window.read().nanos(20_001, 0.5)).isEmpty();
        assertThat(window.read().nanos(1000, 0.5)).isEmpty();
        assertThat(window.read().nanos(50, 1)).hasValue(1);
    }

    @Test
    void theWindowForgetsWhatIsOld() {
        var window = new FirstTokenTimes.Window();
        for (int i = 0; i < 1000; i++) {
            window.note(100, i);
        }

        assertThat(window.read().samples()).hasSize(64);
        assertThat(window.read().nanos(100, 0)).hasValue(936);
    }

    @Test
    void aModelTellsHowItFares() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire()) {
            assertThat(rig.status().health().secondsSinceStep()).isEmpty();
            for (int i = 0; i < 3; i++) {
                try (Caller caller = Caller.of(Rig.prompt(i, 10)).max(20).submit(lease)) {
                    caller.readAll();
                }
            }

            ModelHealth health = rig.status().health();
            assertThat(health.admitted()).isEqualTo(3);
            assertThat(health.firstTokens()).isEqualTo(3);
            assertThat(health.firstTokenTimes().samples()).hasSize(3).allMatch(one -> one.promptTokens() == 10 && one.nanos() >= 0);
            assertThat(health.secondsSinceStep()).isPresent();
            assertThat(health.secondsSinceFirstToken()).isPresent();
            assertThat(health.peakRunningTokens()).isBetween(11L, 30L);
            assertThat(health.queuedTokens()).isZero();
            assertThat(health.streamTokensPerSecond()).isPositive();
        }
    }

    @Test
    void whoWaitsIsCountedWithWhatItMayTake() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire();
                Caller running = Caller.of(Rig.prompt(1, 10)).max(100).ring(2).submit(lease)) {
            Rig.until(() -> rig.status().busySlots() == 1);
            try (Caller waiting = Caller.of(Rig.prompt(2, 30)).max(50).submit(lease)) {
                Rig.until(() -> rig.status().health().queuedTokens() == 80);
                running.readAll();
                waiting.readAll();

                assertThat(rig.status().health().queuedTokens()).isZero();
            }
        }
    }
}
