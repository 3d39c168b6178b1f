package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.FakeGrammar;
import dev.darkbloom.agent.testing.FakeModel;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Stopping: one model, or all of it, with and without patience. */
@Timeout(120)
class UnloadAndDrainTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    private static void assertCode(ErrorCode code, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private interface Task {
        void run() throws Exception;
    }

    private static Thread inBackground(AtomicReference<Throwable> failure, Task task) {
        return Thread.ofPlatform().start(() -> {
            try {
                task.run();
            } catch (Throwable t) {
                failure.set(t);
            }
        });
    }

    @Test
    void unloadWaitsForLeasesAndTheirRequests() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2), Rig.settings().withUnloadGrace(LONG), NanoClock.SYSTEM)) {
            var failure = new AtomicReference<Throwable>();
            Thread unloading;
            try (ModelLease lease = rig.acquire()) {
                unloading = inBackground(failure, () -> rig.engine.unload(Rig.MODEL));
                Rig.until(() -> rig.status().state() == ModelState.DRAINING);
                assertCode(ErrorCode.DRAINING, rig::acquire);

                try (Caller caller = Caller.of(1, 2, 3).max(50).submit(lease)) {
                    assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, new int[] {1, 2, 3}, 50));
                }
                assertThat(unloading.isAlive()).isTrue();
            }
            unloading.join();

            assertThat(failure.get()).isNull();
            assertThat(rig.status().state()).isEqualTo(ModelState.UNLOADED);
            assertThat(rig.behaviour.leaks()).isEmpty();
            assertThat(rig.ledger.reservedBytes()).isZero();
        }
    }

    @Test
    void unloadEndsWhatStillRunsWhenItsGraceIsOver() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            var failure = new AtomicReference<Throwable>();
            Thread unloading;
            try (ModelLease lease = rig.acquire(); Caller stuck = Caller.of(1, 2, 3).max(200).ring(4).submit(lease)) {
                unloading = inBackground(failure, () -> rig.engine.unload(Rig.MODEL));
                stuck.awaitEnd();

                assertThat(stuck.ending()).isEqualTo(ErrorCode.DRAINING);
                assertCode(ErrorCode.DRAINING, () -> Caller.of(1, 2).submit(lease));
            }
            unloading.join();

            assertThat(failure.get()).isNull();
            assertThat(rig.status().state()).isEqualTo(ModelState.UNLOADED);
        }
    }

    @Test
    void unloadedModelIsLoadedAgainOnDemand() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            rig.acquire().close();
            rig.engine.unload(Rig.MODEL);
            rig.engine.unload(Rig.MODEL);

            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2, 3).submit(lease)) {
                assertThat(caller.readAll()).hasSize(16);
            }
            assertThat(rig.behaviour.loads()).isEqualTo(2);
        }
    }

    @Test
    void unloadOfAFailedModelForgetsTheFailure() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            rig.behaviour.failOpen(new AgentException(ErrorCode.MODEL_INVALID, "no"));
            assertCode(ErrorCode.MODEL_UNAVAILABLE, rig::acquire);
            rig.behaviour.failOpen(null);
            rig.engine.unload(Rig.MODEL);

            rig.acquire().close();
            assertThat(rig.status().state()).isEqualTo(ModelState.READY);
        }
    }

    @Test
    void drainRefusesTheNewAndFinishesTheRunning() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            var failure = new AtomicReference<Throwable>();

            try (Caller running = Caller.of(1, 2, 3).max(40).submit(lease); Caller queued = Caller.of(4, 5, 6).max(40).submit(lease)) {
                rig.awaitHeld();
                Thread draining = inBackground(failure, () -> rig.engine.drain(LONG));
                Rig.until(() -> rig.status().state() == ModelState.DRAINING);
                assertCode(ErrorCode.DRAINING, rig::acquire);
                try (Caller refused = Caller.of(1).grammar(new FakeGrammar(rig.behaviour, 3))) {
                    assertCode(ErrorCode.DRAINING, () -> refused.submit(lease));
                }
                rig.behaviour.release();

                assertThat(running.readAll()).hasSize(40);
                assertThat(queued.readAll()).hasSize(40);
                draining.join();
                assertThat(failure.get()).isNull();
            }
        }
    }

    @Test
    void drainEndsWhatRunsWhenItsPatienceIsOver() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1)); ModelLease lease = rig.acquire();
                Caller stuck = Caller.of(1, 2, 3).max(200).ring(4).submit(lease); Caller queued = Caller.of(4, 5, 6).submit(lease)) {
            Rig.until(() -> stuck.generation().progress().generatedTokens() == 4);

            rig.engine.drain(Duration.ofMillis(5));

            assertThat(stuck.generation().isFinished()).isTrue();
            assertThat(stuck.ending()).isEqualTo(ErrorCode.DRAINING);
            assertThat(queued.ending()).isEqualTo(ErrorCode.DRAINING);
            assertThat(stuck.ring().size()).isEqualTo(4);
            assertThat(rig.status().failed()).isEqualTo(2);
        }
    }

    @Test
    void drainOfAnIdleEngineReturnsAtOnce() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1))) {
            rig.acquire().close();
            rig.engine.drain(LONG);
            rig.engine.drain(LONG);

            assertCode(ErrorCode.DRAINING, rig::acquire);
        }
    }

    @Test
    void closeEndsWhatRunsAndASecondCloseDoesNothing() throws Exception {
        var rig = Rig.of(Rig.spec(256, 1));
        var failure = new AtomicReference<Throwable>();
        ModelLease lease = rig.acquire();
        Caller stuck = Caller.of(1, 2, 3).max(200).ring(4).submit(lease);

        Thread closing = inBackground(failure, rig.engine::close);
        stuck.awaitEnd().close();
        lease.close();
        closing.join();
        rig.close();

        assertThat(failure.get()).isNull();
    }

    @Test
    void closeGivesUpALoadThatRuns() throws Exception {
        var rig = Rig.of(Rig.spec(256, 1));
        rig.opener.hold();
        var failure = new AtomicReference<Throwable>();
        Thread asking = inBackground(failure, rig::acquire);
        Rig.until(() -> rig.status().loadProgress() == 0.5);
        Thread closing = inBackground(new AtomicReference<>(), rig.engine::close);
        asking.join();
        rig.opener.release();
        closing.join();

        assertThat(failure.get()).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DRAINING));
        assertThat(rig.behaviour.leaks()).isEmpty();
        rig.close();
    }

    @Test
    void threadsEndWithTheEngine() throws Exception {
        var rig = Rig.withBytes(Long.MAX_VALUE, Rig.settings(), NanoClock.SYSTEM);
        rig.engine.register(Rig.spec("only-here", 64, 1, 32, 32, false), false);
        rig.engine.acquire("only-here").close();
        assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName).contains("engine-only-here", "engine-only-here-bell");

        rig.close();

        Rig.until(() -> Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> thread.getName().startsWith("engine-only-here")));
    }

    @Test
    void aForgottenModelFinishesItsRequestsAndItsIdIsFreeAtOnce() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2), Rig.settings().withUnloadGrace(LONG), NanoClock.SYSTEM)) {
            var failure = new AtomicReference<Throwable>();
            Thread forgetting;
            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2, 3).max(50).submit(lease)) {
                forgetting = inBackground(failure, () -> rig.engine.unregister(Rig.MODEL));
                Rig.until(() -> rig.engine.models().isEmpty());
                assertCode(ErrorCode.UNKNOWN_MODEL, rig::acquire);
                rig.engine.register(Rig.spec(128, 4), false);
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, new int[] {1, 2, 3}, 50));
            }
            forgetting.join();

            assertThat(failure.get()).isNull();
            assertThat(rig.ledger.reservedBytes()).isZero();
            rig.engine.load(Rig.MODEL);
            assertThat(rig.status().slots()).isEqualTo(4);
            assertCode(ErrorCode.UNKNOWN_MODEL, () -> rig.engine.unregister("other"));
        }
    }

    @Test
    void whoWaitsForAModelThatIsForgottenIsToldSo() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            rig.opener.hold();
            var waiting = new AtomicReference<Throwable>();
            Thread waiter = inBackground(waiting, () -> rig.acquire().close());
            Rig.until(() -> rig.status().state() == ModelState.LOADING);
            var failure = new AtomicReference<Throwable>();
            Thread forgetting = inBackground(failure, () -> rig.engine.unregister(Rig.MODEL));
            waiter.join();
            rig.opener.release();
            forgetting.join();

            assertThat(failure.get()).isNull();
            assertThat(waiting.get()).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNKNOWN_MODEL));
            assertThat(rig.engine.models()).isEmpty();
            assertThat(rig.ledger.reservedBytes()).isZero();
        }
    }
}
