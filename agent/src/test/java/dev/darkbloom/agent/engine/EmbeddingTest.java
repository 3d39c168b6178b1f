package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.testing.FakeModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Embeddings: inputs whole, several to a batch, nothing left behind. */
@Timeout(120)
class EmbeddingTest {
    private static Rig rig(MemoryKind kind) {
        var rig = Rig.of(Rig.spec(Rig.MODEL, 128, 4, 64, 64, true), Rig.settings().withQueueLimit(100), NanoClock.SYSTEM);
        rig.behaviour.memoryKind(kind);
        return rig;
    }

    private static void assertCode(ErrorCode code, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private static float[] embed(ModelLease lease, int[] tokens) throws InterruptedException {
        try (var arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(ValueLayout.JAVA_FLOAT, FakeModel.EMBEDDING_SIZE);
            lease.embed(arena.allocateFrom(ValueLayout.JAVA_INT, tokens), target);
            return target.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"ATTENTION", "NONE"})
    void eachInputGetsItsOwnEmbedding(MemoryKind kind) throws Exception {
        try (var rig = rig(kind); ModelLease lease = rig.acquire()) {
            for (int i = 1; i < 40; i++) {
                int[] tokens = Rig.prompt(i, i);
                assertThat(embed(lease, tokens)).isEqualTo(FakeModel.embedding(tokens));
            }

            assertThat(rig.status().finished()).isEqualTo(39);
            assertThat(rig.status().promptTokens()).isEqualTo(39 * 40 / 2);
            assertThat(rig.status().usedTokens()).isZero();
        }
    }

    @Test
    void inputsThatWaitTogetherShareABatch() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            List<Thread> askers = new ArrayList<>();
            var wrong = new AtomicReference<Throwable>();
            for (int i = 0; i < 40; i++) {
                int[] tokens = Rig.prompt(i, 1 + i % 30);
                askers.add(Thread.ofVirtual().start(() -> {
                    try {
                        assertThat(embed(lease, tokens)).isEqualTo(FakeModel.embedding(tokens));
                    } catch (Throwable t) {
                        wrong.set(t);
                    }
                }));
            }
            Rig.until(() -> rig.status().waiting() + rig.status().busySlots() == 40);
            rig.behaviour.release();
            for (Thread asker : askers) {
                asker.join();
            }

            assertThat(wrong.get()).isNull();
            assertThat(rig.behaviour.mostSequencesInBatch()).isEqualTo(4);
            assertThat(rig.behaviour.largestBatch()).isLessThanOrEqualTo(64);
        }
    }

    /** Starts a thread that asks; returns when the engine, which is held in its first batch, has all that it takes of one caller. */
    private static Thread askUntilTheWindowIsFull(Rig rig, ThrowingCallable call, AtomicReference<Throwable> thrown) {
        rig.behaviour.hold();
        Thread asker = Thread.ofVirtual().start(() -> {
            try {
                call.call();
            } catch (Throwable t) {
                thrown.set(t);
            }
        });
        Rig.until(() -> rig.status().waiting() + rig.status().busySlots() == 8);
        return asker;
    }

    @Test
    void inputsOfOneCallerShareABatchAndTakeFewPlaces() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire(); var arena = Arena.ofShared()) {
            List<int[]> prompts = IntStream.range(0, 40).mapToObj(i -> Rig.prompt(i, 1 + i % 12)).toList();
            List<MemorySegment> inputs = prompts.stream().map(tokens -> arena.allocateFrom(ValueLayout.JAVA_INT, tokens)).toList();
            List<MemorySegment> targets = prompts.stream().map(_ -> arena.allocate(ValueLayout.JAVA_FLOAT, FakeModel.EMBEDDING_SIZE)).toList();
            var wrong = new AtomicReference<Throwable>();
            Thread asker = askUntilTheWindowIsFull(rig, () -> lease.embedAll(inputs, targets), wrong);
            rig.behaviour.release();
            asker.join();

            assertThat(wrong.get()).isNull();
            for (int i = 0; i < 40; i++) {
                assertThat(targets.get(i).toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(FakeModel.embedding(prompts.get(i)));
            }
            assertThat(rig.behaviour.mostSequencesInBatch()).isEqualTo(4);
            assertThat(rig.status().usedTokens()).isZero();
        }
    }

    @Test
    void anInterruptEndsEveryInputOfTheCaller() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire(); var arena = Arena.ofShared()) {
            List<MemorySegment> inputs = IntStream.range(0, 20).mapToObj(i -> arena.allocateFrom(ValueLayout.JAVA_INT, Rig.prompt(i, 3))).toList();
            List<MemorySegment> targets = inputs.stream().map(_ -> arena.allocate(ValueLayout.JAVA_FLOAT, FakeModel.EMBEDDING_SIZE)).toList();
            var thrown = new AtomicReference<Throwable>();
            Thread asker = askUntilTheWindowIsFull(rig, () -> lease.embedAll(inputs, targets), thrown);
            asker.interrupt();
            rig.behaviour.release();
            asker.join();

            assertThat(thrown.get()).isInstanceOf(InterruptedException.class);
            Rig.until(() -> rig.status().waiting() + rig.status().busySlots() == 0);
            assertThat(embed(lease, Rig.prompt(1, 5))).isEqualTo(FakeModel.embedding(Rig.prompt(1, 5)));
        }
    }

    @Test
    void inputLongerThanABatchIsRefusedWithBothNumbers() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire()) {
            assertThatThrownBy(() -> embed(lease, Rig.prompt(1, 65)))
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG))
                    .hasMessage("input is 65 tokens; this model embeds at most 64");

            assertThat(embed(lease, Rig.prompt(1, 64))).isEqualTo(FakeModel.embedding(Rig.prompt(1, 64)));
        }
    }

    @Test
    void textModelComputesNoEmbeddings() throws Exception {
        try (var rig = Rig.of(Rig.spec(64, 1)); ModelLease lease = rig.acquire()) {
            assertCode(ErrorCode.EMBEDDINGS_NOT_CONFIGURED, () -> embed(lease, new int[] {1}));
        }
    }

    @Test
    void embeddingModelWritesNoText() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire(); Caller caller = Caller.of(1, 2)) {
            assertCode(ErrorCode.INVALID_REQUEST, () -> caller.submit(lease));
        }
    }

    @Test
    void targetThatIsTooSmallIsAMistake() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire(); var arena = Arena.ofShared()) {
            assertThatThrownBy(() -> lease.embed(arena.allocate(8), arena.allocate(4))).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> lease.embed(arena.allocate(0), arena.allocate(400))).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void interruptIsThrownOnlyAfterTheEngineHasLetGo() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            var seen = new AtomicReference<Throwable>();
            Thread asker = Thread.ofPlatform().start(() -> {
                try {
                    embed(lease, Rig.prompt(1, 20)); // frees its memory as soon as the call returns
                } catch (Throwable t) {
                    seen.set(t);
                }
            });
            rig.awaitHeld();
            asker.interrupt();
            assertThat(asker.isAlive()).isTrue();
            rig.behaviour.release();
            asker.join();

            assertThat(seen.get()).isInstanceOf(InterruptedException.class);
            assertThat(embed(lease, Rig.prompt(2, 20))).isEqualTo(FakeModel.embedding(Rig.prompt(2, 20)));
            assertThat(rig.behaviour.decodersOpened()).isEqualTo(1);
        }
    }

    @Test
    void interruptedInputLeavesTheQueue() throws Exception {
        try (var rig = rig(MemoryKind.NONE); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            List<Thread> askers = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                int[] tokens = Rig.prompt(i, 60);
                askers.add(Thread.ofPlatform().start(() -> {
                    try {
                        embed(lease, tokens);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }));
            }
            Rig.until(() -> rig.status().waiting() == 4 && rig.status().busySlots() == 1);
            askers.forEach(Thread::interrupt);
            // Noticed, and waiting again for the engine to let go.
            Rig.until(() -> askers.stream().noneMatch(Thread::isInterrupted)
                    && askers.stream().allMatch(asker -> asker.getState() == Thread.State.TIMED_WAITING));
            rig.behaviour.release();
            for (Thread asker : askers) {
                asker.join();
            }

            assertThat(rig.status().cancelled()).isEqualTo(4);
            assertThat(rig.status().finished()).isEqualTo(1);
            assertThat(rig.behaviour.decodes()).isEqualTo(1);
        }
    }

    @Test
    void shortageOfRoomMeansFewerInputsAtATime() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION); ModelLease lease = rig.acquire()) {
            rig.behaviour.nextCode(TokenDecoder.NO_KV_ROOM);

            assertCode(ErrorCode.NO_KV_SPACE, () -> embed(lease, Rig.prompt(1, 20)));
            assertThat(embed(lease, Rig.prompt(1, 20))).isEqualTo(FakeModel.embedding(Rig.prompt(1, 20)));
        }
    }

    @Test
    void fatalCodeFailsTheInputAndTheContextIsRebuilt() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION); ModelLease lease = rig.acquire()) {
            rig.behaviour.nextCode(-2);

            assertCode(ErrorCode.DECODE_FATAL, () -> embed(lease, Rig.prompt(1, 20)));
            assertThat(embed(lease, Rig.prompt(1, 20))).isEqualTo(FakeModel.embedding(Rig.prompt(1, 20)));
            assertThat(rig.behaviour.decodersOpened()).isEqualTo(2);
            assertThat(rig.status().failed()).isEqualTo(1);
        }
    }
}
