package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.FakeModel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Answers that lie apart come to lie side by side, or get rows between them; none of it changes an answer or loses what idle slots hold. */
@Timeout(120)
class SlotPackerTest {
    private static final int PROMPT = 20;
    private static final int LONG = 100;
    /** More steps than it takes until something is moved, and everything has been. */
    private static final int STEPS = 24;

    private static int[] prompt(int slot) {
        return Rig.prompt(100 + slot, PROMPT);
    }

    /** Has requests come into all slots, in order; those of {@code longOnes} have long answers, the others end with their first token. */
    private static List<Caller> fill(Rig rig, ModelLease lease, int slots, long longOnes) {
        return fill(rig, lease, slots, longOnes, Origin.LOCAL);
    }

    private static List<Caller> fill(Rig rig, ModelLease lease, int slots, long longOnes, Origin origin) {
        List<Caller> callers = new ArrayList<>();
        rig.behaviour.hold();
        for (int i = 0; i < slots; i++) {
            callers.add(Caller.of(prompt(i)).max((longOnes >> i & 1) != 0 ? LONG : 1).ring(128).from(origin).submit(lease));
            if (i == 0) {
                rig.awaitHeld();
            }
        }
        return callers;
    }

    private static void steps(Rig rig, int steps) {
        for (int i = 0; i < steps; i++) {
            rig.oneStep();
        }
    }

    /** Makes steps until the long answers are being written, all of them, and nothing else. */
    private static void untilApart(Rig rig, List<Caller> callers, long longOnes) {
        for (int i = 0; i < callers.size(); i++) {
            Generation generation = callers.get(i).generation();
            boolean isLong = (longOnes >> i & 1) != 0;
            while (isLong ? generation.progress().generatedTokens() == 0 : !generation.isFinished()) {
                rig.oneStep();
            }
        }
    }

    private static void finish(Rig rig, List<Caller> callers, long longOnes) throws Exception {
        rig.behaviour.release();
        for (int i = 0; i < callers.size(); i++) {
            boolean isLong = (longOnes >> i & 1) != 0;
            assertThat(callers.get(i).readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt(i), isLong ? LONG : 1));
            callers.get(i).close();
        }
    }

    private static boolean isOneRun(long sequences) {
        long run = sequences >> Long.numberOfTrailingZeros(sequences);
        return (run & run + 1) == 0;
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = "NONE", mode = EnumSource.Mode.EXCLUDE)
    void answersInEveryOtherSlotComeToLieSideBySide(MemoryKind kind) throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 8))) {
            rig.behaviour.memoryKind(kind);
            try (ModelLease lease = rig.acquire()) {
                long apart = 0b0101_0101;
                List<Caller> callers = fill(rig, lease, 8, apart);
                untilApart(rig, callers, apart);
                steps(rig, STEPS);

                assertThat(Long.bitCount(rig.behaviour.lastBatch())).isEqualTo(4);
                assertThat(isOneRun(rig.behaviour.lastBatch())).isTrue();
                assertThat(rig.behaviour.lastPasses()).isEqualTo(1);
                finish(rig, callers, apart);
            }
        }
    }

    @Test
    void aSmallGapBetweenManyGetsRowsAtOnceAndTheyAreTakenBack() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 10)); ModelLease lease = rig.acquire()) {
            long apart = 0b11_1100_1111;
            List<Caller> callers = fill(rig, lease, 10, apart);
            untilApart(rig, callers, apart);
            rig.oneStep();

            assertThat(rig.behaviour.lastBatch()).isEqualTo(0b11_1111_1111);
            assertThat(rig.behaviour.lastPasses()).isEqualTo(1);
            assertThat(rig.status().usedTokens()).isEqualTo(heldBy(callers) - unread(callers));
            finish(rig, callers, apart);
        }
    }

    @Test
    void aGapBetweenFewGetsNone() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 6)); ModelLease lease = rig.acquire()) {
            long apart = 0b000101;
            List<Caller> callers = fill(rig, lease, 6, apart);
            untilApart(rig, callers, apart);
            rig.oneStep();

            assertThat(rig.behaviour.lastBatch()).isEqualTo(apart);
            finish(rig, callers, apart);
        }
    }

    private static long heldBy(List<Caller> callers) {
        return callers.stream().mapToLong(caller -> PROMPT + caller.generation().progress().generatedTokens()).sum();
    }

    /** The token sampled last of each answer is not in memory. */
    private static long unread(List<Caller> callers) {
        return callers.size();
    }

    @Test
    void whatIdleSlotsHoldMovesOutOfTheWayAndOnlyTheOldestIsLost() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 8)); ModelLease lease = rig.acquire()) {
            long apart = 0b0101_0101;
            List<Caller> callers = fill(rig, lease, 8, apart);
            untilApart(rig, callers, apart);
            steps(rig, STEPS);
            finish(rig, callers, apart);

            for (int slot : new int[] {3, 5, 7}) {
                assertThat(cachedWhenAskedAgain(rig, lease, slot)).isEqualTo(PROMPT - 1);
            }
            assertThat(cachedWhenAskedAgain(rig, lease, 1)).isZero();
        }
    }

    @Test
    void whatMovesStaysOutOfReachOfTheOtherOrigin() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 8)); ModelLease lease = rig.acquire()) {
            long apart = 0b0101_0101;
            List<Caller> callers = fill(rig, lease, 8, apart, Origin.RELAYED);
            untilApart(rig, callers, apart);
            steps(rig, STEPS);
            finish(rig, callers, apart);

            for (int slot = 0; slot < 8; slot++) {
                assertThat(cachedWhenAskedAgain(rig, lease, slot, Origin.LOCAL)).isZero();
            }
        }
    }

    private static int cachedWhenAskedAgain(Rig rig, ModelLease lease, int slot) throws Exception {
        return cachedWhenAskedAgain(rig, lease, slot, Origin.LOCAL);
    }

    private static int cachedWhenAskedAgain(Rig rig, ModelLease lease, int slot, Origin origin) throws Exception {
        try (Caller caller = Caller.of(prompt(slot)).max(4).ring(16).from(origin).submit(lease)) {
            assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt(slot), 4));
            return caller.generation().progress().cachedTokens();
        }
    }

    @Test
    void inAUnifiedCacheNothingMoves() throws Exception {
        ModelSpec streams = Rig.spec(256, 8);
        try (var rig = Rig.of(streams.unified(streams.kvTokens())); ModelLease lease = rig.acquire()) {
            long apart = 0b1000_0001;
            List<Caller> callers = fill(rig, lease, 8, apart);
            untilApart(rig, callers, apart);
            steps(rig, STEPS);

            assertThat(rig.behaviour.lastBatch()).isEqualTo(apart);
            finish(rig, callers, apart);
        }
    }

    @Test
    void aCancelledAnswerEndsWhereItWasMovedTo() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 8)); ModelLease lease = rig.acquire()) {
            long apart = 0b1000_0001;
            List<Caller> callers = fill(rig, lease, 8, apart);
            untilApart(rig, callers, apart);
            steps(rig, STEPS);
            assertThat(isOneRun(rig.behaviour.lastBatch())).isTrue();
            callers.get(0).generation().cancel();
            callers.get(7).generation().cancel();
            rig.behaviour.release();
            callers.get(0).awaitEnd();
            callers.get(7).awaitEnd();

            assertThat(rig.status().busySlots()).isZero();
            callers.forEach(Caller::close);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4})
    void aPromptBesideAnswersTakesOnePassAndTheyAnother(int slot) throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 5)); ModelLease lease = rig.acquire()) {
            long answers = 0b11111 ^ 1L << slot;
            List<Caller> callers = fill(rig, lease, 5, answers);
            untilApart(rig, callers, answers);
            int[] prompt = Rig.prompt(7, 100);
            Caller reading = Caller.of(prompt).max(4).ring(8).submit(lease);
            rig.oneStep(); // the step that was planned before it came
            rig.oneStep();

            assertThat(rig.behaviour.lastBatch()).isEqualTo(0b11111);
            assertThat(rig.behaviour.lastPasses()).isEqualTo(2);
            finish(rig, callers, answers);
            assertThat(reading.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 4));
            reading.close();
        }
    }
}
