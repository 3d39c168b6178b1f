package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.FakeOpener;
import dev.darkbloom.agent.testing.ManualClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Loading on demand, sharing, failing, and making room. */
@Timeout(120)
class ModelLoadingTest {
    /** What a model with this many tokens of context and slots is found to need. */
    private static long bytes(int contextTokens, int slots) {
        return FakeOpener.WEIGHT_BYTES + (long) contextTokens * slots + slots;
    }

    private static ModelSpec spec(String id, int contextTokens, int slots) {
        return Rig.spec(id, contextTokens, slots, 32, 32, false);
    }

    private static void assertCode(ErrorCode code, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    @Test
    void modelIsLoadedWhenItIsFirstAskedFor() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1))) {
            assertThat(rig.status().state()).isEqualTo(ModelState.UNLOADED);

            try (ModelLease lease = rig.acquire()) {
                assertThat(lease.contextTokens()).isEqualTo(64);
                assertThat(lease.spec().id()).isEqualTo(Rig.MODEL);
                assertThat(lease.facts().architecture()).isEqualTo("fake");
                assertThat(rig.status().state()).isEqualTo(ModelState.READY);
                assertThat(rig.status().reservedBytes()).isEqualTo(bytes(64, 1));
            }
        }
    }

    @Test
    void unknownModelIsRefused() {
        try (var rig = Rig.of(Rig.spec(64, 1))) {
            assertCode(ErrorCode.UNKNOWN_MODEL, () -> rig.engine.acquire("other"));
        }
    }

    @Test
    void modelsAreListedInTheOrderOfRegistration() {
        try (var rig = Rig.withBytes(Long.MAX_VALUE, Rig.settings(), NanoClock.SYSTEM)) {
            for (String id : List.of("c", "a", "b")) {
                rig.engine.register(spec(id, 64, 1), false);
            }

            assertThat(rig.engine.models()).extracting(ModelStatus::id).containsExactly("c", "a", "b");
            assertThatThrownBy(() -> rig.engine.register(spec("a", 64, 1), false)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void thoseWhoAskWhileItLoadsShareOneLoad() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 8))) {
            rig.opener.hold();
            List<Thread> askers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                askers.add(Thread.ofVirtual().start(() -> {
                    try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                        caller.readAll();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }));
            }
            Rig.until(() -> rig.status().loadProgress() == 0.5);
            assertThat(rig.status().state()).isEqualTo(ModelState.LOADING);

            rig.opener.release();
            for (Thread asker : askers) {
                asker.join();
            }

            assertThat(rig.behaviour.loads()).isEqualTo(1);
            assertThat(rig.status().finished()).isEqualTo(8);
        }
    }

    @Test
    void interruptedAskerLeavesAndTheLoadGoesOn() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1))) {
            rig.opener.hold();
            var seen = new AtomicReference<Throwable>();
            Thread asker = Thread.ofPlatform().start(() -> {
                try {
                    rig.acquire().close();
                } catch (Throwable t) {
                    seen.set(t);
                }
            });
            Rig.until(() -> rig.status().loadProgress() == 0.5);
            asker.interrupt();
            asker.join();
            rig.opener.release();

            assertThat(seen.get()).isInstanceOf(InterruptedException.class);
            rig.acquire().close();
            assertThat(rig.behaviour.loads()).isEqualTo(1);
        }
    }

    @Test
    void loadThatFailsIsATypedErrorAndAFailedModel() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1))) {
            rig.behaviour.failOpen(new AgentException(ErrorCode.MODEL_INVALID, "tensor 7 lies outside the file"));

            assertThatThrownBy(rig::acquire)
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_UNAVAILABLE))
                    .hasMessage("model m could not be loaded: tensor 7 lies outside the file");
            assertThat(rig.status().state()).isEqualTo(ModelState.FAILED);
            assertThat(rig.status().lastError()).contains("tensor 7 lies outside the file");
            assertThat(rig.ledger.reservedBytes()).isZero();
            assertCode(ErrorCode.MODEL_INVALID, () -> rig.engine.load(Rig.MODEL));
        }
    }

    @Test
    void contextThatCannotBeOpenedFreesTheModel() {
        try (var rig = Rig.of(Rig.spec(64, 1))) {
            rig.behaviour.failDecoder(new AgentException(ErrorCode.OUT_OF_MEMORY, "no context of 64 tokens"));

            assertCode(ErrorCode.OUT_OF_MEMORY, rig::acquire);

            assertThat(rig.behaviour.leaks()).isEmpty();
            assertThat(rig.ledger.reservedBytes()).isZero();
        }
    }

    @Test
    void exceptionThatNobodyForesawFailsTheModelOnly() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1))) {
            rig.behaviour.failOpen(new IllegalStateException("boom"));

            assertCode(ErrorCode.MODEL_UNAVAILABLE, rig::acquire);
            rig.behaviour.failOpen(null);
            rig.engine.load(Rig.MODEL);

            assertThat(rig.status().state()).isEqualTo(ModelState.READY);
            assertThat(rig.status().lastError()).isEmpty();
        }
    }

    @Test
    void failedModelIsTriedAgainButNotAtOnce() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(64, 1), Rig.settings(), clock)) {
            rig.behaviour.failOpen(new AgentException(ErrorCode.MODEL_INVALID, "no"));

            for (int i = 0; i < 5; i++) {
                assertCode(ErrorCode.MODEL_UNAVAILABLE, rig::acquire);
            }
            assertThat(rig.behaviour.loads()).isEqualTo(1);
            clock.advance(Duration.ofSeconds(1));
            assertCode(ErrorCode.MODEL_UNAVAILABLE, rig::acquire);
            assertThat(rig.behaviour.loads()).isEqualTo(2);
            clock.advance(Duration.ofSeconds(1));
            assertCode(ErrorCode.MODEL_UNAVAILABLE, rig::acquire);
            assertThat(rig.behaviour.loads()).isEqualTo(2);
            clock.advance(Duration.ofSeconds(1));
            rig.behaviour.failOpen(null);
            rig.acquire().close();

            assertThat(rig.behaviour.loads()).isEqualTo(3);
        }
    }

    @Test
    void modelThatDoesNotFitIsRefusedWithBothNumbers() {
        try (var rig = Rig.withBytes(1500, Rig.settings(), NanoClock.SYSTEM)) {
            rig.engine.register(spec("big", 256, 4), false);

            assertThatThrownBy(() -> rig.engine.acquire("big"))
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.OUT_OF_MEMORY))
                    .hasMessage("model big needs 2028 bytes; 1500 of 1500 are free");
            assertThat(rig.opener.behaviour("big").loads()).isZero();
        }
    }

    @Test
    void idleModelsMakeRoomTheLeastRecentlyUsedFirst() throws Exception {
        try (var rig = Rig.withBytes(3 * bytes(64, 1), Rig.settings(), NanoClock.SYSTEM)) {
            for (String id : List.of("a", "b", "c", "d")) {
                rig.engine.register(spec(id, 64, 1), false);
            }
            rig.engine.acquire("a").close();
            rig.engine.acquire("b").close();
            rig.engine.acquire("c").close();
            rig.engine.acquire("a").close();

            rig.engine.acquire("d").close();

            assertThat(rig.engine.models()).extracting(ModelStatus::state)
                    .containsExactly(ModelState.READY, ModelState.UNLOADED, ModelState.READY, ModelState.READY);
            assertThat(rig.opener.behaviour("b").leaks()).isEmpty();
        }
    }

    @Test
    void modelThatIsHeldIsNotUnloadedForAnotherOne() throws Exception {
        try (var rig = Rig.withBytes(2 * bytes(64, 1), Rig.settings(), NanoClock.SYSTEM)) {
            for (String id : List.of("a", "b", "c")) {
                rig.engine.register(spec(id, 64, 1), false);
            }

            try (ModelLease held = rig.engine.acquire("a")) {
                rig.engine.acquire("b").close();
                rig.engine.acquire("c").close();
                try (ModelLease alsoHeld = rig.engine.acquire("c")) {
                    assertCode(ErrorCode.OUT_OF_MEMORY, () -> rig.engine.acquire("b"));
                    assertThat(held.contextTokens()).isEqualTo(alsoHeld.contextTokens());
                }
                assertThat(rig.status("a").state()).isEqualTo(ModelState.READY);
            }
        }
    }

    @Test
    void nothingIsUnloadedInVain() throws Exception {
        try (var rig = Rig.withBytes(bytes(64, 1) + 100, Rig.settings(), NanoClock.SYSTEM)) {
            rig.engine.register(spec("a", 64, 1), false);
            rig.engine.register(spec("big", 4096, 1), false);
            rig.engine.acquire("a").close();

            assertCode(ErrorCode.OUT_OF_MEMORY, () -> rig.engine.acquire("big"));

            assertThat(rig.status("a").state()).isEqualTo(ModelState.READY);
        }
    }

    @Test
    void contextIsHalvedUntilItFits() throws Exception {
        try (var rig = Rig.withBytes(bytes(256, 4), Rig.settings().withMinContextTokens(128), NanoClock.SYSTEM)) {
            rig.engine.register(spec("m", 1000, 4), true);

            try (ModelLease lease = rig.engine.acquire("m")) {
                assertThat(lease.contextTokens()).isEqualTo(250);
                assertThat(lease.spec().slots()).isEqualTo(4);
                assertThat(rig.status("m").contextTokens()).isEqualTo(250);
                assertThat(rig.ledger.reservedBytes()).isEqualTo(bytes(250, 4));
            }
        }
    }

    @Test
    void slotsShrinkOnceTheContextIsAtItsLeast() throws Exception {
        try (var rig = Rig.withBytes(bytes(128, 2), Rig.settings().withMinContextTokens(128), NanoClock.SYSTEM)) {
            rig.engine.register(spec("m", 1000, 8), true);

            try (ModelLease lease = rig.engine.acquire("m")) {
                assertThat(lease.contextTokens()).isEqualTo(128);
                assertThat(lease.spec().slots()).isEqualTo(2);
                assertThat(rig.status("m").slots()).isEqualTo(2);
            }
        }
    }

    @Test
    void idleModelsGoBeforeTheContextShrinks() throws Exception {
        try (var rig = Rig.withBytes(bytes(1000, 1) + 10, Rig.settings().withMinContextTokens(128), NanoClock.SYSTEM)) {
            rig.engine.register(spec("a", 64, 1), false);
            rig.engine.register(spec("m", 1000, 1), true);
            rig.engine.acquire("a").close();

            try (ModelLease lease = rig.engine.acquire("m")) {
                assertThat(lease.contextTokens()).isEqualTo(1000);
            }
            assertThat(rig.status("a").state()).isEqualTo(ModelState.UNLOADED);
        }
    }

    @Test
    void smallestFormThatStillDoesNotFitIsRefused() {
        try (var rig = Rig.withBytes(bytes(128, 1) - 1, Rig.settings().withMinContextTokens(128), NanoClock.SYSTEM)) {
            rig.engine.register(spec("m", 1000, 8), true);

            long least = bytes(128, 1);
            assertThatThrownBy(() -> rig.engine.acquire("m"))
                    .hasMessage("model m needs " + least + " bytes; " + (least - 1) + " of " + (least - 1) + " are free");
        }
    }

    @Test
    void severalModelsAnswerSideBySide() throws Exception {
        try (var rig = Rig.withBytes(Long.MAX_VALUE, Rig.settings(), NanoClock.SYSTEM)) {
            rig.engine.register(spec("a", 256, 2), false);
            rig.engine.register(spec("b", 256, 2), false);

            try (ModelLease a = rig.engine.acquire("a"); ModelLease b = rig.engine.acquire("b");
                    Caller one = Caller.of(1, 2, 3).max(100).submit(a); Caller two = Caller.of(4, 5, 6).max(100).submit(b)) {
                assertThat(one.readAll()).isEqualTo(FakeModel.answer(rig.opener.behaviour("a"), new int[] {1, 2, 3}, 100));
                assertThat(two.readAll()).isEqualTo(FakeModel.answer(rig.opener.behaviour("b"), new int[] {4, 5, 6}, 100));
            }
        }
    }

    @Test
    void modelThatIsMakingRoomIsWaitedForAndLoadedAgain() throws Exception {
        try (var rig = Rig.withBytes(bytes(64, 1), Rig.settings(), NanoClock.SYSTEM)) {
            rig.engine.register(spec("a", 64, 1), false);
            rig.engine.register(spec("b", 64, 1), false);
            List<Thread> askers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                String id = i % 2 == 0 ? "a" : "b";
                askers.add(Thread.ofVirtual().start(() -> {
                    boolean answered = false;
                    while (!answered) {
                        try (ModelLease lease = rig.engine.acquire(id); Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                            answered = caller.readAll().length == 16;
                        } catch (AgentException e) {
                            assertThat(e.code()).isIn(ErrorCode.OUT_OF_MEMORY, ErrorCode.QUEUE_FULL);
                            Thread.yield();
                        } catch (Exception e) {
                            throw new IllegalStateException(e);
                        }
                    }
                }));
            }
            for (Thread asker : askers) {
                asker.join();
            }

            assertThat(rig.ledger.reservedBytes()).isEqualTo(bytes(64, 1));
        }
    }

    @Test
    void listenerFollowsTheStates() throws Exception {
        var heard = new java.util.concurrent.CopyOnWriteArrayList<ModelState>();
        var listener = new EngineListener() {
            @Override
            public void onStateChanged(String modelId, ModelState state) {
                heard.add(state);
            }
        };
        try (var rig = Rig.of(Rig.spec(64, 1), Rig.settings().withListener(listener), NanoClock.SYSTEM)) {
            rig.acquire().close();
            rig.engine.unload(Rig.MODEL);

            assertThat(heard).containsExactly(ModelState.LOADING, ModelState.READY, ModelState.DRAINING, ModelState.UNLOADED);
        }
    }
}
