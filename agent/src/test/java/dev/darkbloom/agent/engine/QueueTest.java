package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.FakeGrammar;
import dev.darkbloom.agent.testing.FakeModel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The bound on waiting requests, readers that are slow, and many threads at once. */
@Timeout(120)
class QueueTest {
    @Test
    void requestBeyondSlotsAndQueueIsRefused() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2), Rig.settings().withQueueLimit(3), NanoClock.SYSTEM); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            List<Caller> taken = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                taken.add(Caller.of(1, 2, 3).submit(lease));
            }

            try (Caller refused = Caller.of(1, 2, 3).grammar(new FakeGrammar(rig.behaviour, 9))) {
                assertThatThrownBy(() -> refused.submit(lease))
                        .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL))
                        .hasMessage("model m has 2 requests running and 3 waiting; it takes no more");
            }

            rig.awaitHeld();
            rig.behaviour.step(); // the first step may have begun before all had come
            Rig.until(() -> rig.status().busySlots() == 2);
            assertThat(rig.behaviour.openGrammars()).isZero();
            assertThat(rig.status().waiting()).isEqualTo(3);
            assertThat(rig.status().refused()).isEqualTo(1);
            rig.behaviour.release();
            for (Caller caller : taken) {
                caller.readAll();
                caller.close();
            }
            assertThat(rig.status().finished()).isEqualTo(5);
        }
    }

    @Test
    void whatRunsAndWhatIsPromisedIsCountedWhileItRunsAndGoneAfterwards() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2), Rig.settings(), NanoClock.SYSTEM); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            try (Caller one = Caller.of(1, 2, 3).max(10).submit(lease); Caller two = Caller.of(4, 5).max(20).submit(lease)) {
                rig.awaitHeld();
                rig.behaviour.step();
                Rig.until(() -> rig.status().busySlots() == 2);
                ModelLoad load = rig.status().load();
                assertThat(load.runningTokens() + load.promisedTokens()).isEqualTo(3 + 10 + 2 + 20); // a token moves from one to the other
                assertThat(load.kvTokens()).isEqualTo(512);
                assertThat(load.weightBytes() + load.contextBytes() + load.computeBytes()).isEqualTo(rig.status().reservedBytes());
                assertThat(load.activeBytes()).isLessThanOrEqualTo(rig.status().reservedBytes());
                rig.behaviour.release();
                one.readAll();
                two.generation().cancel();
                two.awaitEnd();
            }

            Rig.until(() -> rig.status().busySlots() == 0);
            assertThat(rig.status().load().runningTokens()).isZero();
            assertThat(rig.status().load().promisedTokens()).isZero();
        }
    }

    @Test
    void placeIsFreeForTheNextOneAsSoonAsAGenerationIsFinished() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 1), Rig.settings().withQueueLimit(1), NanoClock.SYSTEM); ModelLease lease = rig.acquire()) {
            for (int i = 0; i < 200; i++) {
                try (Caller one = Caller.of(1, 2, 3).max(2).submit(lease); Caller two = Caller.of(4, 5, 6).max(2).submit(lease)) {
                    one.awaitEnd();
                    try (Caller three = Caller.of(7, 8, 9).max(2).submit(lease)) {
                        three.awaitEnd();
                    }
                    two.awaitEnd();
                }
            }

            assertThat(rig.status().finished()).isEqualTo(600);
            assertThat(rig.status().refused()).isZero();
        }
    }

    @Test
    void fullRingSkipsItsSlotAndNobodyElse() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 2)); ModelLease lease = rig.acquire()) {
            try (Caller slow = Caller.of(Rig.prompt(1, 10)).max(100).ring(4).submit(lease)) {
                Rig.until(() -> slow.generation().progress().generatedTokens() == 4);
                try (Caller quick = Caller.of(Rig.prompt(2, 10)).max(100).submit(lease)) {
                    assertThat(quick.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(2, 10), 100));
                }

                assertThat(slow.generation().progress().generatedTokens()).isEqualTo(4);
                assertThat(slow.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(1, 10), 100));
            }
        }
    }

    @Test
    void loopSleepsWhileEveryRingIsFull() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 2)); ModelLease lease = rig.acquire();
                Caller slow = Caller.of(Rig.prompt(1, 10)).max(100).ring(4).submit(lease)) {
            Rig.until(() -> slow.generation().progress().generatedTokens() == 4);
            Rig.until(() -> engineThread().getState() == Thread.State.WAITING);
            long decodes = rig.behaviour.decodes();

            slow.read(6).generation().await(0);
            Rig.until(() -> slow.generation().progress().generatedTokens() == 10 && engineThread().getState() == Thread.State.WAITING);

            assertThat(rig.behaviour.decodes()).isEqualTo(decodes + 6);
            assertThat(slow.readAll()).hasSize(100);
        }
    }

    @Test
    void ringOfTwoEntriesIsEnough() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 1)); ModelLease lease = rig.acquire();
                Caller caller = Caller.of(Rig.prompt(1, 10)).max(300).ring(1).submit(lease)) {
            assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(1, 10), 300));
        }
    }

    @Test
    void idleLoopSleeps() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 2)); ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2).submit(lease)) {
            caller.readAll();

            Rig.until(() -> engineThread().getState() == Thread.State.WAITING);
        }
    }

    @Test
    void manyThreadsSubmitAtOnce() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 4), Rig.settings().withQueueLimit(8), NanoClock.SYSTEM); ModelLease lease = rig.acquire()) {
            var start = new CountDownLatch(1);
            var refused = new AtomicInteger();
            var right = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 32; t++) {
                int seed = t;
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        start.await();
                        for (int i = 0; i < 20; i++) {
                            int[] prompt = Rig.prompt(100 * seed + i, 1 + (seed + i) % 40);
                            try (Caller caller = Caller.of(prompt).max(10).submit(lease)) {
                                if (java.util.Arrays.equals(caller.readAll(), FakeModel.answer(rig.behaviour, prompt, 10))) {
                                    right.incrementAndGet();
                                }
                            } catch (AgentException e) {
                                assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL);
                                refused.incrementAndGet();
                                Thread.yield();
                            }
                        }
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }));
            }
            start.countDown();
            for (Thread thread : threads) {
                thread.join();
            }

            assertThat(right.get() + refused.get()).isEqualTo(32 * 20);
            assertThat(rig.status().finished()).isEqualTo(right.get());
            assertThat(rig.status().refused()).isEqualTo(refused.get());
            assertThat(rig.status().busySlots()).isZero();
            assertThat(rig.status().waiting()).isZero();
        }
    }

    @Test
    void memoryOfAConfinedArenaIsRefused() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire(); var arena = java.lang.foreign.Arena.ofConfined();
                Caller caller = Caller.of(1, 2)) {
            GenerationRequest shared = caller.request();
            var confined = new GenerationRequest(shared.id(), arena.allocate(8), 2, 5, shared.sampling(), null, -1, Long.MAX_VALUE,
                    shared.ring());

            assertThatThrownBy(() -> lease.submit(confined)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void closedLeaseTakesNothing() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); Caller caller = Caller.of(1, 2).grammar(new FakeGrammar(rig.behaviour, 1))) {
            ModelLease lease = rig.acquire();
            lease.close();
            lease.close();

            assertThatThrownBy(() -> caller.submit(lease)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(lease::tokenizer).isInstanceOf(IllegalStateException.class);
        }
    }

    static Thread engineThread() {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals("engine-" + Rig.MODEL)).findFirst()
                .orElseThrow();
    }
}
