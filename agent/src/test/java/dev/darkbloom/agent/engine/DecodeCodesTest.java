package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.ManualClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the loop makes of each code that {@code llama_decode} returns. */
@Timeout(120)
class DecodeCodesTest {
    @Test
    void oldPrefixesMakeRoomOldestFirst() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 3))) {
            rig.behaviour.kvCells(330);
            try (ModelLease lease = rig.acquire()) {
                for (int i = 0; i < 2; i++) {
                    try (Caller caller = Caller.of(Rig.prompt(i, 100)).max(5).submit(lease)) {
                        caller.readAll();
                    }
                }
                int[] prompt = Rig.prompt(3, 200);

                try (Caller caller = Caller.of(prompt).max(5).submit(lease)) {
                    assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 5));
                }
                try (Caller again = Caller.of(Rig.prompt(1, 100)).max(5).submit(lease)) {
                    again.readAll();
                    assertThat(again.generation().progress().cachedTokens()).isEqualTo(99);
                }
                assertThat(rig.status().failed()).isZero();
            }
        }
    }

    @Test
    void newestRequestIsGivenUpWhenNothingElseMakesRoom() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            rig.behaviour.kvCells(300);
            try (ModelLease lease = rig.acquire()) {
                rig.behaviour.hold();
                int[] first = Rig.prompt(1, 150);

                try (Caller older = Caller.of(first).max(100).ring(128).submit(lease);
                        Caller newer = Caller.of(Rig.prompt(2, 150)).max(100).ring(128).submit(lease)) {
                    rig.behaviour.release();

                    assertThat(older.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, first, 100));
                    newer.readAll();
                    assertThat(newer.ending()).isEqualTo(ErrorCode.NO_KV_SPACE);
                }
                assertThat(rig.status().busySlots()).isZero();
                assertThat(rig.behaviour.decodersOpened()).isEqualTo(1);
            }
        }
    }

    @Test
    void singleRequestThatFindsNoRoomIsRefused() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1))) {
            rig.behaviour.kvCells(50);
            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(Rig.prompt(1, 100)).submit(lease)) {
                caller.readAll();

                assertThat(caller.ending()).isEqualTo(ErrorCode.NO_KV_SPACE);
                assertThat(rig.status().usedTokens()).isZero();
            }
        }
    }

    @Test
    void passingShortageOnlyShrinksTheBatch() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.nextCode(TokenDecoder.NO_KV_ROOM);
            rig.behaviour.nextCode(TokenDecoder.NO_KV_ROOM);
            int[] prompt = Rig.prompt(1, 100);

            try (Caller caller = Caller.of(prompt).submit(lease)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 16));
            }
        }
    }

    @Test
    void abortedBatchIsRunAgain() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2)); ModelLease lease = rig.acquire()) {
            for (int i = 0; i < 3; i++) {
                rig.behaviour.nextCode(TokenDecoder.DECODED);
                rig.behaviour.nextCode(TokenDecoder.ABORTED);
            }
            int[] prompt = Rig.prompt(1, 100);

            try (Caller caller = Caller.of(prompt).submit(lease)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 16));
            }
        }
    }

    @Test
    void abortedBatchOfAMemoryThatCannotGoBackFailsItsRequests() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1))) {
            rig.behaviour.memoryKind(MemoryKind.RECURRENT);
            rig.behaviour.nextCode(TokenDecoder.DECODED);
            rig.behaviour.nextCode(TokenDecoder.ABORTED);
            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(Rig.prompt(1, 100)).submit(lease)) {
                caller.readAll();
                assertThat(caller.ending()).isEqualTo(ErrorCode.GENERATION_FAILED);
            }
        }
    }

    @Test
    void fatalCodeFailsWhatRunsAndTheContextIsRebuilt() throws Exception {
        var rebuilt = new java.util.concurrent.atomic.AtomicInteger();
        var listener = new EngineListener() {
            @Override
            public void onContextRebuilt(String modelId) {
                rebuilt.incrementAndGet();
            }
        };
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings().withListener(listener), NanoClock.SYSTEM); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();

            try (Caller running = Caller.of(1, 2, 3).max(50).submit(lease); Caller queued = Caller.of(4, 5, 6).max(50).submit(lease)) {
                rig.awaitHeld();
                rig.behaviour.nextCode(-3);
                rig.behaviour.release();

                running.readAll();
                assertThat(running.ending()).isEqualTo(ErrorCode.DECODE_FATAL);
                assertThat(queued.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, new int[] {4, 5, 6}, 50));
                assertThat(rig.behaviour.decodersOpened()).isEqualTo(2);
                assertThat(rig.behaviour.openDecoders()).isEqualTo(1);
                assertThat(rig.status().state()).isEqualTo(ModelState.READY);
                assertThat(rig.status().lastError()).contains("decoding failed with code -3");
                assertThat(rebuilt).hasValue(1);
            }
        }
    }

    @Test
    void contextThatCannotBeRebuiltFailsTheModelAndTheNextRequestLoadsItAgain() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings(), clock)) {
            ModelLease lease = rig.acquire();
            rig.behaviour.hold();

            try (Caller running = Caller.of(1, 2, 3).submit(lease); Caller queued = Caller.of(4, 5, 6).submit(lease)) {
                rig.awaitHeld();
                rig.behaviour.nextCode(-1);
                rig.behaviour.failDecoder(new AgentException(ErrorCode.OUT_OF_MEMORY, "no memory"));
                rig.behaviour.release();

                assertThat(running.awaitEnd().ending()).isEqualTo(ErrorCode.DECODE_FATAL);
                assertThat(queued.awaitEnd().ending()).isEqualTo(ErrorCode.MODEL_UNAVAILABLE);
                Rig.until(() -> rig.status().state() == ModelState.FAILED);
                assertThatThrownBy(() -> Caller.of(1, 2).submit(lease))
                        .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_UNAVAILABLE));
                assertThat(rig.behaviour.openModels()).isEqualTo(1);
            }
            lease.close();
            Rig.until(() -> rig.behaviour.openModels() == 0);
            rig.behaviour.failDecoder(null);
            clock.advance(Duration.ofSeconds(1));

            try (ModelLease next = rig.acquire(); Caller caller = Caller.of(1, 2, 3).submit(next)) {
                assertThat(caller.readAll()).hasSize(16);
            }
        }
    }

    @Test
    void exceptionOutOfADecodeIsFatalToo() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.failNextDecode(new IllegalStateException("the batch is odd"));
            try (Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                caller.readAll();
                assertThat(caller.ending()).isEqualTo(ErrorCode.DECODE_FATAL);
            }

            try (Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, new int[] {1, 2, 3}, 16));
            }
            assertThat(rig.behaviour.decodersOpened()).isEqualTo(2);
            assertThat(rig.status().busySlots()).isZero();
        }
    }
}
