package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.ManualClock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What one slot holds, or is about to hold, is taken over by the others: computed once, and never a different answer. */
@Timeout(120)
class PrefixSharingTest {
    private static final int COMMON = 200;
    private static final int OWN = 20;
    private static final int ANSWER = 12;

    private static Stream<Arguments> memoriesAndLayouts() {
        return Stream.of(MemoryKind.ATTENTION, MemoryKind.SLIDING_WINDOW, MemoryKind.RECURRENT, MemoryKind.HYBRID)
                .flatMap(kind -> Stream.of(KvLayout.values()).map(layout -> Arguments.of(kind, layout)));
    }

    private static Rig rig(MemoryKind kind, KvLayout layout, int slots) {
        ModelSpec streams = Rig.spec(512, slots);
        var rig = Rig.of(layout == KvLayout.STREAMS ? streams : streams.unified(streams.kvTokens()));
        if (kind == MemoryKind.SLIDING_WINDOW) {
            rig.behaviour.window(16);
        } else {
            rig.behaviour.memoryKind(kind);
        }
        return rig;
    }

    private static int[] prompt(int own) {
        return Rig.extended(Rig.prompt(1, COMMON), own, OWN);
    }

    private static Caller submit(ModelLease lease, int[] prompt) {
        return Caller.of(prompt).max(ANSWER).ring(32).submit(lease);
    }

    private static void finish(Rig rig, Caller caller, int[] prompt) throws Exception {
        assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, ANSWER));
        caller.close();
    }

    @ParameterizedTest
    @MethodSource("memoriesAndLayouts")
    void requestsThatComeTogetherComputeTheirBeginningOnce(MemoryKind kind, KvLayout layout) throws Exception {
        try (var rig = rig(kind, layout, 8); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                callers.add(submit(lease, prompt(10 + i)));
            }
            rig.awaitHeld();
            rig.behaviour.release();
            for (int i = 0; i < 8; i++) {
                finish(rig, callers.get(i), prompt(10 + i));
            }

            assertThat(rig.status().promptTokens()).isEqualTo(COMMON + 8 * OWN);
            assertThat(rig.status().cachedTokens()).isEqualTo(7 * COMMON);
        }
    }

    @ParameterizedTest
    @MethodSource("memoriesAndLayouts")
    void whenTheFirstIsCancelledOneOfTheOthersGoesOnFromThere(MemoryKind kind, KvLayout layout) throws Exception {
        try (var rig = rig(kind, layout, 4); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            Caller first = submit(lease, prompt(10));
            rig.awaitHeld();
            List<Caller> others = new ArrayList<>();
            for (int i = 1; i < 4; i++) {
                others.add(submit(lease, prompt(10 + i)));
            }
            rig.oneStep(); // the others have come, and follow
            first.generation().cancel();
            rig.behaviour.release();
            first.awaitEnd();
            int computed = first.generation().progress().prefilledTokens();
            assertThat(first.ending()).isEqualTo(FinishReason.CANCELLED);
            assertThat(computed).isBetween(1, COMMON);
            first.close();
            for (int i = 1; i < 4; i++) {
                finish(rig, others.get(i - 1), prompt(10 + i));
            }

            assertThat(rig.status().promptTokens()).isEqualTo(COMMON + 3 * OWN);
        }
    }

    @ParameterizedTest
    @MethodSource("memoriesAndLayouts")
    void oneThatFollowsCanBeCancelled(MemoryKind kind, KvLayout layout) throws Exception {
        try (var rig = rig(kind, layout, 3); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            Caller first = submit(lease, prompt(10));
            rig.awaitHeld();
            Caller cancelled = submit(lease, prompt(11));
            Caller third = submit(lease, prompt(12));
            rig.oneStep();
            cancelled.generation().cancel();
            rig.oneStep();
            cancelled.awaitEnd();
            assertThat(cancelled.ending()).isEqualTo(FinishReason.CANCELLED);
            cancelled.close();
            rig.behaviour.release();
            finish(rig, first, prompt(10));
            finish(rig, third, prompt(12));
        }
    }

    @ParameterizedTest
    @MethodSource("memoriesAndLayouts")
    void noOriginTakesOverWhatTheOtherReads(MemoryKind kind, KvLayout layout) throws Exception {
        try (var rig = rig(kind, layout, 4); ModelLease lease = rig.acquire()) {
            rig.behaviour.hold();
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Origin origin = i % 2 == 0 ? Origin.RELAYED : Origin.LOCAL;
                callers.add(Caller.of(prompt(10 + i)).max(ANSWER).ring(32).from(origin).submit(lease));
            }
            rig.awaitHeld();
            rig.behaviour.release();
            for (int i = 0; i < 4; i++) {
                finish(rig, callers.get(i), prompt(10 + i));
            }

            assertThat(rig.status().promptTokens()).isEqualTo(2 * COMMON + 4 * OWN);
            assertThat(rig.status().cachedTokens()).isEqualTo(2 * COMMON);
        }
    }

    @ParameterizedTest
    @EnumSource(KvLayout.class)
    void whatABusySlotOfTheOtherOriginHoldsIsNotTakenOver(KvLayout layout) throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, layout, 2); ModelLease lease = rig.acquire()) {
            int[] first = prompt(10);
            Caller busy = Caller.of(first).max(200).ring(256).from(Origin.RELAYED).submit(lease);
            busy.read(3);
            Caller second = submit(lease, prompt(11));
            finish(rig, second, prompt(11));

            assertThat(busy.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, first, 200));
            assertThat(rig.status().cachedTokens()).isZero();
            busy.close();
        }
    }

    @ParameterizedTest
    @EnumSource(KvLayout.class)
    void whatABusySlotHoldsIsTakenOver(KvLayout layout) throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, layout, 2); ModelLease lease = rig.acquire()) {
            int[] first = prompt(10);
            Caller busy = Caller.of(first).max(200).ring(256).submit(lease);
            busy.read(3);
            Caller second = submit(lease, prompt(11));
            finish(rig, second, prompt(11));

            assertThat(busy.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, first, 200));
            assertThat(rig.status().cachedTokens()).isEqualTo(COMMON);
            busy.close();
        }
    }

    @Test
    void aConversationIsCopiedBeforeItIsCutWhileThereIsRoom() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, KvLayout.STREAMS, 2); ModelLease lease = rig.acquire()) {
            int[] conversation = Rig.extended(Rig.prompt(1, COMMON), 2, 150);
            finish(rig, submit(lease, conversation), conversation);
            finish(rig, submit(lease, prompt(3)), prompt(3));
            int[] continued = Rig.extended(conversation, 4, 10);
            try (Caller caller = submit(lease, continued)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, continued, ANSWER));
                assertThat(caller.generation().progress().cachedTokens()).isEqualTo(COMMON + 150);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("memoriesAndLayouts")
    void aReaderWhoDoesNotReadHoldsNobodyUp(MemoryKind kind, KvLayout layout) throws Exception {
        try (var rig = rig(kind, layout, 2); ModelLease lease = rig.acquire()) {
            int[] first = Rig.prompt(1, COMMON);
            int[] second = Rig.extended(first, 2, OWN);
            rig.behaviour.hold();
            Caller unread = Caller.of(first).max(100).ring(2).submit(lease);
            rig.awaitHeld();
            Caller reading = submit(lease, second);
            rig.behaviour.release();
            finish(rig, reading, second);

            assertThat(unread.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, first, 100));
            unread.close();
        }
    }

    @Test
    void aStoreForFewerTokensThanAllSlotsTakesWhatIsSharedOnce() throws Exception {
        int most = 512;
        try (var rig = Rig.of(Rig.spec(512, 8).unified(most)); ModelLease lease = rig.acquire()) {
            rig.behaviour.kvCells(most);
            rig.behaviour.hold();
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                callers.add(submit(lease, prompt(10 + i))); // 200 + 8 * (20 + 11) tokens at the end
            }
            rig.awaitHeld();
            rig.behaviour.release();
            for (int i = 0; i < 8; i++) {
                finish(rig, callers.get(i), prompt(10 + i));
            }

            assertThat(rig.status().failed()).isZero();
            assertThat(rig.behaviour.mostSequencesInBatch()).isGreaterThan(4);
        }
    }

    @Test
    void whatDoesNotFitBesideOthersWaitsForThem() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 4).unified(512)); ModelLease lease = rig.acquire()) {
            rig.behaviour.kvCells(512);
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                callers.add(submit(lease, Rig.prompt(10 + i, 300)));
            }
            for (int i = 0; i < 4; i++) {
                finish(rig, callers.get(i), Rig.prompt(10 + i, 300));
            }

            assertThat(rig.status().failed()).isZero();
            assertThat(rig.behaviour.mostSequencesInBatch()).isEqualTo(1);
        }
    }

    @Test
    void oldPrefixesGoFirstWhenAStoreIsFull() throws Exception {
        try (var rig = Rig.of(Rig.spec(512, 4).unified(512)); ModelLease lease = rig.acquire()) {
            rig.behaviour.kvCells(512);
            int[] oldest = Rig.prompt(1, 150);
            int[] newer = Rig.prompt(2, 150);
            int[] large = Rig.prompt(3, 250);
            for (int[] prompt : List.of(oldest, newer, large)) {
                finish(rig, submit(lease, prompt), prompt);
            }
            try (Caller caller = submit(lease, newer)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, newer, ANSWER));
                assertThat(caller.generation().progress().cachedTokens()).isEqualTo(149);
            }
            try (Caller caller = submit(lease, oldest)) {
                assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, oldest, ANSWER));
                assertThat(caller.generation().progress().cachedTokens()).isZero();
            }
        }
    }

    @Test
    void aShortPromptDoesNotWaitForALongOne() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(512, 2), Rig.settings(), clock); ModelLease lease = rig.acquire()) {
            rig.behaviour.cost(clock, 1_000_000); // half a second for the long one
            int[] lengthy = Rig.prompt(1, 480);
            int[] brief = Rig.prompt(2, 20);
            rig.behaviour.hold();
            Caller first = submit(lease, lengthy);
            rig.awaitHeld();
            Caller second = submit(lease, brief);
            while (second.ring().size() == 0) {
                rig.oneStep();
            }
            assertThat(first.generation().progress().prefilledTokens()).isLessThan(200);
            rig.behaviour.release();
            finish(rig, second, brief);
            finish(rig, first, lengthy);
        }
    }

    @Test
    void shortPromptsAreReadInTurn() throws Exception {
        var clock = new ManualClock();
        try (var rig = Rig.of(Rig.spec(512, 3), Rig.settings(), clock); ModelLease lease = rig.acquire()) {
            rig.behaviour.cost(clock, 1_000_000);
            int[] known = Rig.prompt(3, 20);
            finish(rig, submit(lease, known), known); // now the cost of a token is known
            int[] first = Rig.prompt(1, 150);
            int[] second = Rig.prompt(2, 140);
            rig.behaviour.hold();
            Caller before = submit(lease, first);
            rig.awaitHeld();
            Caller after = submit(lease, second);
            while (before.ring().size() == 0) {
                rig.oneStep();
            }
            assertThat(after.ring().size()).isZero();
            rig.behaviour.release();
            finish(rig, before, first);
            finish(rig, after, second);
        }
    }

    @Test
    void aConversationThatGoesOnStaysInItsSlot() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, KvLayout.STREAMS, 2); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);
            finish(rig, submit(lease, prompt), prompt);
            int[] answer = FakeModel.answer(rig.behaviour, prompt, ANSWER);
            int[] both = Arrays.copyOf(prompt, prompt.length + answer.length);
            System.arraycopy(answer, 0, both, prompt.length, answer.length);
            int[] continued = Rig.extended(both, 2, 30);
            finish(rig, submit(lease, continued), continued);

            assertThat(rig.status().usedTokens()).isEqualTo(continued.length + ANSWER - 1);
        }
    }
}
