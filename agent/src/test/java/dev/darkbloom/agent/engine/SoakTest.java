package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.testing.FakeGrammar;
import dev.darkbloom.agent.testing.FakeModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A few thousand random requests, cancelled at random, on each kind of memory: the right tokens, and nothing left over. */
@Timeout(120)
class SoakTest {
    private static final int THREADS = 12;
    private static final int REQUESTS_PER_THREAD = 150;

    private final AtomicLong finished = new AtomicLong();
    private final AtomicLong cancelled = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"ATTENTION", "SLIDING_WINDOW", "RECURRENT", "HYBRID"})
    void randomRequestsLeaveEverySlotFree(MemoryKind kind) throws Exception {
        try (var rig = Rig.of(Rig.spec(300, 5), Rig.settings().withQueueLimit(5), NanoClock.SYSTEM)) {
            rig.behaviour.endOneIn(60).kvCells(900);
            if (kind == MemoryKind.SLIDING_WINDOW) {
                rig.behaviour.window(20);
            } else {
                rig.behaviour.memoryKind(kind);
            }
            var wrong = new AtomicReference<Throwable>();
            try (ModelLease lease = rig.acquire()) {
                List<Thread> threads = new ArrayList<>();
                for (int t = 0; t < THREADS; t++) {
                    var random = new Random(31L * t + kind.ordinal());
                    threads.add(Thread.ofVirtual().start(() -> {
                        try {
                            for (int i = 0; i < REQUESTS_PER_THREAD; i++) {
                                ask(rig, lease, random);
                            }
                        } catch (Throwable e) {
                            wrong.set(e);
                        }
                    }));
                }
                for (Thread thread : threads) {
                    thread.join();
                }
            }

            assertThat(wrong.get()).isNull();
            ModelStatus status = rig.status();
            assertThat(status.busySlots()).isZero();
            assertThat(status.waiting()).isZero();
            assertThat(status.finished()).isEqualTo(finished.get()).isPositive();
            assertThat(status.cancelled()).isEqualTo(cancelled.get()).isPositive();
            assertThat(status.failed()).isEqualTo(failed.get());
            assertThat(status.refused()).isEqualTo(refused.get());
            assertThat(finished.get() + cancelled.get() + failed.get() + refused.get()).isEqualTo((long) THREADS * REQUESTS_PER_THREAD);
            assertThat(rig.behaviour.openSamplers()).isZero();
            assertThat(rig.behaviour.openGrammars()).isZero();
            assertThat(rig.behaviour.decodersOpened()).isEqualTo(1);
        }
    }

    /** Few distinct beginnings, so that slots are reused in every way there is. */
    private static int[] randomPrompt(Random random) {
        int[] prompt = Rig.prompt(random.nextInt(6), 10 + random.nextInt(120));
        return random.nextBoolean() ? prompt : Rig.extended(prompt, random.nextInt(1000), 1 + random.nextInt(100));
    }

    private void ask(Rig rig, ModelLease lease, Random random) throws Exception {
        int[] prompt = randomPrompt(random);
        int max = 1 + random.nextInt(80);
        int[] expected = FakeModel.answer(rig.behaviour, prompt, Math.min(max, 300 - prompt.length));
        long deadline = random.nextInt(20) == 0 ? System.nanoTime() + random.nextInt(2_000_000) : Long.MAX_VALUE;
        Caller caller = Caller.of(prompt).max(max).ring(1 + random.nextInt(16)).deadline(deadline);
        if (random.nextInt(4) == 0) {
            caller.grammar(new FakeGrammar(rig.behaviour, random.nextInt(100)));
        }
        try (caller) {
            caller.submit(lease);
            if (random.nextInt(3) == 0) {
                caller.read(random.nextInt(max + 1));
                caller.generation().cancel();
                caller.generation().cancel();
                caller.awaitEnd();
            } else {
                caller.readAll();
            }
            count(caller, expected);
        } catch (AgentException e) {
            assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL);
            refused.incrementAndGet();
            Thread.yield();
        }
    }

    private void count(Caller caller, int[] expected) {
        int[] tokens = caller.tokens();
        assertThat(tokens).isEqualTo(Arrays.copyOf(expected, tokens.length));
        switch (caller.generation().outcome().orElseThrow()) {
            case Outcome.Finished(var reason) -> (reason == FinishReason.CANCELLED ? cancelled : finished).incrementAndGet();
            case Outcome.Failed(var error) -> {
                assertThat(error.code()).isIn(ErrorCode.DEADLINE_EXCEEDED, ErrorCode.NO_KV_SPACE, ErrorCode.GENERATION_FAILED);
                failed.incrementAndGet();
            }
        }
    }
}
