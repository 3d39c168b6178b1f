package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.testing.FakeGrammar;
import dev.darkbloom.agent.testing.FakeModel;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What an answer consists of, and how it ends. */
@Timeout(120)
class GenerationTest {
    @Test
    void answerIsWhatTheModelWritesAfterThePrompt() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 10);

            try (Caller caller = Caller.of(prompt).max(20).submit(lease)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 20));
                assertThat(caller.ending()).isEqualTo(FinishReason.LENGTH);
            }
        }
    }

    @Test
    void promptOfOneTokenIsAnswered() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire(); Caller caller = Caller.of(7).max(3).submit(lease)) {
            assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, new int[] {7}, 3));
        }
    }

    @Test
    void endOfGenerationTokenEndsTheAnswerAndIsNotPartOfIt() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire()) {
            rig.behaviour.endOneIn(5);
            int[] prompt = Rig.prompt(2, 10);
            int[] expected = FakeModel.answer(rig.behaviour, prompt, 200);

            try (Caller caller = Caller.of(prompt).max(200).submit(lease)) {
                int[] answer = caller.readAll();

                assertThat(expected.length).isLessThan(200);
                assertThat(answer).isEqualTo(expected);
                assertThat(caller.ending()).isEqualTo(FinishReason.STOP);
                assertThat(caller.generation().progress().generatedTokens()).isEqualTo(expected.length);
                assertThat(rig.status().generatedTokens()).isEqualTo(expected.length);
            }
        }
    }

    @Test
    void answersThatTheModelEndsAtOnceAreCounted() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire()) {
            rig.behaviour.endOneIn(2);
            int brief = 0;
            for (int seed = 0; seed < 20; seed++) {
                int[] prompt = Rig.prompt(seed, 10);
                try (Caller caller = Caller.of(prompt).max(200).submit(lease)) {
                    brief += caller.readAll().length <= 1 ? 1 : 0;
                }
            }

            assertThat(brief).isBetween(1, 19);
            assertThat(rig.status().brief()).isEqualTo(brief);
            assertThat(rig.status().finished()).isEqualTo(20);
        }
    }

    @Test
    void eightTogetherGetWhatEachGetsAlone() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 8)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            Caller[] callers = new Caller[8];

            for (int i = 0; i < 8; i++) {
                callers[i] = Caller.of(Rig.prompt(i, 5 + 13 * i)).max(40).submit(lease);
            }
            rig.behaviour.release();

            for (int i = 0; i < 8; i++) {
                assertThat(callers[i].readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(i, 5 + 13 * i), 40));
                callers[i].close();
            }
            assertThat(rig.behaviour.mostSequencesInBatch()).isEqualTo(8);
        }
    }

    @Test
    void moreSlotsThanABatchHasRowsTakeTurns() throws Exception {
        try (var rig = Rig.of(Rig.spec(Rig.MODEL, 128, 8, 4, 4, false)); ModelLease lease = rig.acquire()) {
            Caller[] callers = new Caller[8];

            for (int i = 0; i < 8; i++) {
                callers[i] = Caller.of(Rig.prompt(i, 9)).max(50).submit(lease);
            }

            for (int i = 0; i < 8; i++) {
                assertThat(callers[i].readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(i, 9), 50));
                callers[i].close();
            }
            assertThat(rig.behaviour.largestBatch()).isEqualTo(4);
        }
    }

    @Test
    void noStreamStarvesWhenABatchHasFewerRowsThanThereAreSlots() throws Exception {
        try (var rig = Rig.of(Rig.spec(Rig.MODEL, 128, 8, 4, 4, false)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            Caller[] callers = new Caller[8];
            for (int i = 0; i < 8; i++) {
                callers[i] = Caller.of(1, 2 + i).max(100).ring(128).submit(lease);
            }
            rig.awaitHeld();
            while (Arrays.stream(generated(callers)).min().orElseThrow() == 0) {
                rig.oneStep(); // until every prompt has been read
            }

            int[] before = generated(callers);
            for (int step = 0; step < 8; step++) {
                rig.oneStep();
            }

            int[] after = generated(callers);
            for (int i = 0; i < 8; i++) {
                assertThat(after[i] - before[i]).isEqualTo(4);
            }
            rig.behaviour.release();
            for (Caller caller : callers) {
                caller.readAll();
                caller.close();
            }
        }
    }

    private static int[] generated(Caller[] callers) {
        return Arrays.stream(callers).mapToInt(caller -> caller.generation().progress().generatedTokens()).toArray();
    }

    @Test
    void longPromptIsReadInPiecesBesideRunningStreams() throws Exception {
        try (var rig = Rig.of(Rig.spec(1000, 2)); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(5, 700);

            try (Caller running = Caller.of(Rig.prompt(6, 4)).max(900).ring(1024).submit(lease).read(1);
                    Caller late = Caller.of(prompt).max(30).submit(lease)) {
                assertThat(late.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 30));
                assertThat(running.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(6, 4), 900));
                assertThat(rig.behaviour.largestBatch()).isLessThanOrEqualTo(64);
            }
        }
    }

    @Test
    void logitsAreAskedForOnlyWhereATokenIsSampled() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 2)); ModelLease lease = rig.acquire()) {
            try (Caller caller = Caller.of(Rig.prompt(1, 300)).max(25).submit(lease)) {
                caller.readAll();
            }

            assertThat(rig.behaviour.logitRows()).isEqualTo(25);
            assertThat(rig.behaviour.decodedTokens()).isEqualTo(300 + 24);
        }
    }

    @Test
    void maxTokensIsClampedToTheRoomThatThePromptLeaves() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 50);

            try (Caller caller = Caller.of(prompt).max(8192).submit(lease)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 14));
                assertThat(caller.ending()).isEqualTo(FinishReason.LENGTH);
            }
        }
    }

    @Test
    void promptThatLeavesRoomForOneTokenIsAnsweredWithOne() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(Rig.prompt(1, 63)).max(5).submit(lease)) {
            assertThat(caller.readAll()).hasSize(1);
        }
    }

    @Test
    void promptThatFillsTheContextIsRefusedWithBothNumbers() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire(); Caller caller = Caller.of(Rig.prompt(1, 64))) {
            assertThatThrownBy(() -> caller.submit(lease))
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG))
                    .hasMessage("prompt is 64 tokens; this model's context holds 64");

            assertThat(rig.status().refused()).isEqualTo(1);
            assertThat(rig.behaviour.decodes()).isZero();
        }
    }

    @Test
    void grammarThatAllowsNoTokenFailsTheGeneration() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(1, 2, 3).max(20).grammar(new FakeGrammar(rig.behaviour, 4)).submit(lease)) {
            assertThat(caller.readAll()).hasSize(4);

            assertThat(caller.ending()).isEqualTo(ErrorCode.GENERATION_FAILED);
            assertThat(rig.status().failed()).isEqualTo(1);
        }
    }

    @Test
    void samplingThatFailsEndsOnlyThatGeneration() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.failSample(new AgentException(ErrorCode.GENERATION_FAILED, "no"));
            try (Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                caller.readAll();
                assertThat(caller.ending()).isEqualTo(ErrorCode.GENERATION_FAILED);
            }

            rig.behaviour.failSample(null);
            try (Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, new int[] {1, 2, 3}, 16));
            }
            assertThat(rig.behaviour.decodersOpened()).isEqualTo(1);
        }
    }

    @Test
    void settingsThatTheModelRefusesFailTheRequestWithItsOwnError() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.failSampler(new AgentException(ErrorCode.INVALID_REQUEST, "mirostat 7"));

            try (Caller caller = Caller.of(1, 2, 3).grammar(new FakeGrammar(rig.behaviour, 4))) {
                assertThatThrownBy(() -> caller.submit(lease)).isInstanceOfSatisfying(AgentException.class,
                        error -> assertThat(error.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
            }
            assertThat(rig.behaviour.leaks()).doesNotContain("samplers", "grammars");
            assertThat(rig.status().waiting()).isZero();
        }
    }

    private static ModelLease withWindow(Rig rig) throws InterruptedException {
        rig.behaviour.window(16);
        return rig.acquire();
    }

    @Test
    void requestIsNotLostToAnErrorWhileItIsPlaced() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = withWindow(rig)) {
            try (Caller caller = Caller.of(1, 2, 3).max(3).submit(lease)) {
                caller.readAll();
            }
            rig.behaviour.failLook(new StackOverflowError());

            try (Caller caller = Caller.of(1, 2, 4).submit(lease)) {
                caller.readAll();
                assertThat(caller.ending()).isEqualTo(ErrorCode.GENERATION_FAILED);
            }
            assertThat(rig.status().busySlots()).isZero();
            assertThat(rig.behaviour.leaks()).doesNotContain("samplers");
        }
    }

    @Test
    void logProbabilitiesTravelWithTheirToken() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(1, 2, 3).max(5).logprobs(3).submit(lease)) {
            caller.awaitEnd();

            for (int i = 0; i < 5; i++) {
                long entry = caller.ring().firstEntry();
                assertThat(caller.ring().logprob(entry)).isEqualTo(-0.5f);
                assertThat(caller.ring().topToken(entry, 0)).isEqualTo(caller.ring().token(entry));
                assertThat(caller.ring().topLogprob(entry, 2)).isEqualTo(-2.5f);
                caller.ring().advance();
            }
        }
    }

    @Test
    void progressIsExactAtTheEnd() throws Exception {
        var clock = new dev.darkbloom.agent.testing.ManualClock();
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings(), clock)) {
            rig.behaviour.cost(clock, 1_000_000);
            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(Rig.prompt(1, 40)).max(11).submit(lease)) {
                caller.readAll();
                Generation.Progress progress = caller.generation().progress();

                assertThat(progress.promptTokens()).isEqualTo(40);
                assertThat(progress.cachedTokens()).isZero();
                assertThat(progress.prefilledTokens()).isEqualTo(40);
                assertThat(progress.generatedTokens()).isEqualTo(11);
                assertThat(progress.queuedNanos()).isZero();
                assertThat(progress.prefillNanos()).isEqualTo(Duration.ofMillis(40).toNanos());
                assertThat(progress.decodeNanos()).isEqualTo(Duration.ofMillis(10).toNanos());
                assertThat(rig.status().prefillTokensPerSecond()).isEqualTo(1000);
                assertThat(rig.status().decodeTokensPerSecond()).isEqualTo(1000);
            }
        }
    }

    @Test
    void awaitTellsOfPrefillBeforeTheFirstToken() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller caller = Caller.of(Rig.prompt(1, 200)).submit(lease)) {
                rig.behaviour.step();
                boolean tokens = caller.generation().await(Duration.ofSeconds(20).toNanos());

                assertThat(tokens).isFalse();
                assertThat(caller.generation().progress().prefilledTokens()).isBetween(1, 199);
                rig.behaviour.release();
                caller.readAll();
            }
        }
    }

    @Test
    void awaitReturnsFalseWhenNothingComesInTime() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                assertThat(caller.generation().await(1_000_000)).isFalse();
                rig.behaviour.release();
                caller.readAll();
            }
        }
    }

    @Test
    void interruptedReaderCanStillCancel() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                Thread.currentThread().interrupt();
                assertThatThrownBy(() -> caller.generation().await(Long.MAX_VALUE)).isInstanceOf(InterruptedException.class);
                caller.generation().cancel();
                rig.behaviour.release();
                caller.awaitEnd();
                assertThat(caller.ending()).isEqualTo(FinishReason.CANCELLED);
            }
        }
    }

    @Test
    void answerIsReadByVirtualThreads() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 4)); ModelLease lease = rig.acquire()) {
            var answers = new int[12][];
            var readers = new Thread[12];

            for (int i = 0; i < readers.length; i++) {
                int n = i;
                readers[i] = Thread.ofVirtual().start(() -> {
                    try (Caller caller = Caller.of(Rig.prompt(n, 20)).max(100).submit(lease)) {
                        answers[n] = caller.readAll();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                });
            }
            for (Thread reader : readers) {
                reader.join();
            }

            for (int i = 0; i < readers.length; i++) {
                assertThat(answers[i]).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(i, 20), 100));
            }
            assertThat(Arrays.stream(readers)).noneMatch(Thread::isAlive);
        }
    }

    @Test
    void listenerHearsOfTheEndBeforeTheHolderDoes() throws Exception {
        var heard = new java.util.concurrent.CopyOnWriteArrayList<EngineListener.GenerationStats>();
        var listener = new EngineListener() {
            @Override
            public void onFinished(GenerationStats stats) {
                heard.add(stats);
            }
        };
        try (var rig = Rig.of(Rig.spec(64, 1), Rig.settings().withListener(listener), NanoClock.SYSTEM); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(1, 2, 3).max(4).submit(lease)) {
            caller.awaitEnd();

            assertThat(heard).hasSize(1);
            assertThat(heard.getFirst().modelId()).isEqualTo(Rig.MODEL);
            assertThat(heard.getFirst().progress()).isEqualTo(caller.generation().progress());
            assertThat(heard.getFirst().outcome()).isEqualTo(caller.generation().outcome().orElseThrow());
        }
    }

    @Test
    void listenerThatThrowsDoesNoHarm() throws Exception {
        var listener = new EngineListener() {
            @Override
            public void onFinished(GenerationStats stats) {
                throw new IllegalStateException("listener");
            }
        };
        try (var rig = Rig.of(Rig.spec(64, 1), Rig.settings().withListener(listener), NanoClock.SYSTEM); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(1, 2, 3).max(4).submit(lease)) {
            assertThat(caller.readAll()).hasSize(4);
        }
    }
}
