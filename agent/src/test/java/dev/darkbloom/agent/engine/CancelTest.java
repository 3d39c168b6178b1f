package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.testing.FakeGrammar;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.ManualClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Giving up, by the caller or by a deadline, at each phase. */
@Timeout(120)
class CancelTest {
    @Test
    void cancelWhileDecodingEndsWithinOneStep() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller caller = Caller.of(Rig.prompt(1, 10)).max(100).submit(lease)) {
                rig.behaviour.step();
                caller.read(1);
                rig.awaitHeld();
                caller.generation().cancel();
                rig.behaviour.step();
                caller.awaitEnd();

                assertThat(caller.ending()).isEqualTo(FinishReason.CANCELLED);
                assertThat(rig.behaviour.decodes()).isEqualTo(2);
                assertThat(rig.status().cancelled()).isEqualTo(1);
                assertThat(rig.status().busySlots()).isZero();
            }
        }
    }

    @Test
    void cancelInPrefillEndsWithinOneStep() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 2)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller caller = Caller.of(Rig.prompt(1, 400)).submit(lease)) {
                rig.awaitHeld();
                caller.generation().cancel();
                rig.behaviour.step();
                caller.awaitEnd();

                assertThat(caller.ending()).isEqualTo(FinishReason.CANCELLED);
                assertThat(caller.generation().progress().prefilledTokens()).isBetween(1, 399);
                assertThat(rig.behaviour.decodes()).isEqualTo(1);
            }
        }
    }

    @Test
    void cancelInTheQueueEndsWithoutASlot() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller running = Caller.of(1, 2, 3).max(50).submit(lease);
                    Caller queued = Caller.of(4, 5, 6).grammar(new FakeGrammar(rig.behaviour, 9)).submit(lease)) {
                rig.awaitHeld();
                queued.generation().cancel();
                rig.behaviour.step();
                queued.awaitEnd();

                assertThat(queued.ending()).isEqualTo(FinishReason.CANCELLED);
                assertThat(queued.generation().progress().prefillNanos()).isZero();
                assertThat(rig.behaviour.openGrammars()).isZero();
                assertThat(running.generation().isFinished()).isFalse();
                rig.behaviour.release();
                assertThat(running.readAll()).hasSize(50);
            }
        }
    }

    @Test
    void cancelAfterTheEndChangesNothing() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2, 3).max(5).submit(lease)) {
            caller.readAll();
            caller.generation().cancel();

            assertThat(caller.ending()).isEqualTo(FinishReason.LENGTH);
            assertThat(rig.status().cancelled()).isZero();
        }
    }

    @Test
    void cancelTwiceCountsOnce() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller caller = Caller.of(1, 2, 3).max(50).submit(lease)) {
                rig.awaitHeld();
                caller.generation().cancel();
                caller.generation().cancel();
                rig.behaviour.release();
                caller.awaitEnd();
                caller.generation().cancel();

                assertThat(rig.status().cancelled()).isEqualTo(1);
            }
        }
    }

    @Test
    void neighboursOfACancelledGenerationGetTheirAnswers() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 3)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller first = Caller.of(Rig.prompt(1, 30)).max(60).submit(lease);
                    Caller cancelled = Caller.of(Rig.prompt(2, 30)).max(60).submit(lease);
                    Caller last = Caller.of(Rig.prompt(3, 30)).max(60).submit(lease)) {
                rig.awaitHeld();
                rig.behaviour.step();
                rig.awaitHeld();
                cancelled.generation().cancel();
                rig.behaviour.release();

                assertThat(first.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(1, 30), 60));
                assertThat(last.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(3, 30), 60));
                assertThat(cancelled.awaitEnd().ending()).isEqualTo(FinishReason.CANCELLED);
            }
        }
    }

    @Test
    void memoryMayBeFreedAsSoonAsTheGenerationIsFinished() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 4)); ModelLease lease = rig.acquire()) {
            for (int i = 0; i < 300; i++) {
                Caller caller = Caller.of(Rig.prompt(i, 1 + i % 200)).max(1 + i % 7).ring(1).submit(lease);
                if (i % 3 == 0) {
                    caller.read(1);
                }
                caller.generation().cancel();
                caller.awaitEnd();
                caller.close();
            }

            assertThat(rig.behaviour.decodersOpened()).isEqualTo(1);
            assertThat(rig.status().finished() + rig.status().cancelled()).isEqualTo(300);
            assertThat(rig.status().failed()).isZero();
        }
    }

    @Test
    void deadlineEndsADecodingGeneration() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings(), clock)) {
            rig.behaviour.cost(clock, 1_000_000);
            long deadline = clock.nanoTime() + Duration.ofMillis(50).toNanos();

            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2, 3).max(200).deadline(deadline).submit(lease)) {
                assertThat(caller.readAll()).hasSize(48);
                assertThat(caller.ending()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
                assertThat(rig.status().failed()).isEqualTo(1);
            }
        }
    }

    @Test
    void deadlineEndsAQueuedRequestWhileTheSlotIsBusy() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings(), clock); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            long deadline = clock.nanoTime() + Duration.ofSeconds(1).toNanos();

            try (Caller running = Caller.of(1, 2, 3).max(50).submit(lease); Caller queued = Caller.of(4, 5).deadline(deadline).submit(lease)) {
                rig.awaitHeld();
                clock.advance(Duration.ofSeconds(1));
                rig.behaviour.step();
                queued.awaitEnd();

                assertThat(queued.ending()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
                rig.behaviour.release();
                assertThat(running.readAll()).hasSize(50);
            }
        }
    }

    @Test
    void deadlineOfAReaderThatNeverReadsWakesTheSleepingLoop() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings(), clock); ModelLease lease = rig.acquire()) {
            long deadline = clock.nanoTime() + Duration.ofSeconds(1).toNanos();

            try (Caller caller = Caller.of(1, 2, 3).max(200).ring(4).deadline(deadline).submit(lease)) {
                Rig.until(() -> caller.generation().progress().generatedTokens() == 4);
                clock.advance(Duration.ofSeconds(1));
                caller.awaitEnd();

                assertThat(caller.ending()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
            }
        }
    }

    @Test
    void requestThatComesAfterItsDeadlineNeverTakesASlot() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings(), clock); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(1, 2, 3).deadline(clock.nanoTime() - 1).submit(lease)) {
            caller.awaitEnd();

            assertThat(caller.ending()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
            assertThat(rig.behaviour.decodes()).isZero();
        }
    }
}
