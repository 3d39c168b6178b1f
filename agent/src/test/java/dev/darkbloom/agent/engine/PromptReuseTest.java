package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.testing.FakeModel;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Reuse of what a slot holds: as much as is exact for the model's memory, and never a different answer. */
@Timeout(120)
class PromptReuseTest {
    private static Rig rig(MemoryKind kind, int slots) {
        var rig = Rig.of(Rig.spec(512, slots));
        if (kind == MemoryKind.SLIDING_WINDOW) {
            rig.behaviour.window(16);
        } else {
            rig.behaviour.memoryKind(kind);
        }
        return rig;
    }

    private static int[] ask(Rig rig, ModelLease lease, int[] prompt, int max, int expectedCached) throws Exception {
        try (Caller caller = Caller.of(prompt).max(max).submit(lease)) {
            int[] answer = caller.readAll();
            assertThat(answer).isEqualTo(FakeModel.answer(rig.behaviour, prompt, max));
            assertThat(caller.generation().progress().cachedTokens()).isEqualTo(expectedCached);
            return answer;
        }
    }

    private static int[] joined(int[] first, int[] second) {
        int[] all = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, all, first.length, second.length);
        return all;
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"ATTENTION", "SLIDING_WINDOW", "RECURRENT", "HYBRID"})
    void conversationGoesOnFromWhatTheSlotHolds(MemoryKind kind) throws Exception {
        try (var rig = rig(kind, 1); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);
            int[] answer = ask(rig, lease, prompt, 20, 0);

            // The answer's last token was sampled but never run.
            int[] next = Rig.extended(joined(prompt, answer), 2, 30);
            ask(rig, lease, next, 20, 119);

            assertThat(rig.status().cachedTokens()).isEqualTo(119);
            assertThat(rig.status().promptTokens()).isEqualTo(100 + 31);
        }
    }

    @Test
    void samePromptAgainRunsItsLastTokenOnly() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, 1); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);

            ask(rig, lease, prompt, 20, 0);
            ask(rig, lease, prompt, 20, 99);
        }
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"ATTENTION", "SLIDING_WINDOW", "RECURRENT", "HYBRID"})
    void whoWantsItsPromptComputedAnewGetsThat(MemoryKind kind) throws Exception {
        try (var rig = rig(kind, 2); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);
            int[] answer = ask(rig, lease, prompt, 20, 0);
            int[] next = Rig.extended(joined(prompt, answer), 2, 30);

            for (int round = 0; round < 2; round++) { // into the empty slot, then into one that holds the prompt
                try (Caller caller = Caller.of(next).max(20).anew().submit(lease)) {
                    assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, next, 20));
                    assertThat(caller.generation().progress().cachedTokens()).isZero();
                }
            }
        }
    }

    @Test
    void attentionGoesBackToWhereThePromptsPart() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, 1); ModelLease lease = rig.acquire()) {
            int[] common = Rig.prompt(1, 60);

            ask(rig, lease, Rig.extended(common, 2, 40), 20, 0);
            ask(rig, lease, Rig.extended(common, 3, 50), 20, 60);
        }
    }

    @Test
    void windowGoesBackOnlyWhileNothingWasDropped() throws Exception {
        try (var rig = rig(MemoryKind.SLIDING_WINDOW, 1); ModelLease lease = rig.acquire()) {
            int[] shortPrompt = Rig.prompt(1, 10);
            int[] longPrompt = Rig.prompt(2, 100);

            ask(rig, lease, shortPrompt, 3, 0);
            ask(rig, lease, shortPrompt, 3, 9);
            ask(rig, lease, longPrompt, 3, 0);
            ask(rig, lease, longPrompt, 3, 0);
        }
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"RECURRENT", "HYBRID"})
    void stateThatCannotGoBackStartsAnew(MemoryKind kind) throws Exception {
        try (var rig = rig(kind, 1); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);

            ask(rig, lease, prompt, 20, 0);
            ask(rig, lease, prompt, 20, 0);
            ask(rig, lease, Rig.extended(Arrays.copyOf(prompt, 60), 3, 50), 20, 0);
        }
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"ATTENTION", "SLIDING_WINDOW", "RECURRENT", "HYBRID"})
    void whatACancelledPrefillLeftIsReused(MemoryKind kind) throws Exception {
        try (var rig = rig(kind, 1); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 300);
            rig.behaviour.hold();
            int prefilled;
            try (Caller cancelled = Caller.of(prompt).submit(lease)) {
                rig.awaitHeld();
                cancelled.generation().cancel();
                rig.behaviour.release();
                cancelled.awaitEnd();
                prefilled = cancelled.generation().progress().prefilledTokens();
            }

            assertThat(prefilled).isPositive();
            ask(rig, lease, prompt, 20, prefilled);
        }
    }

    @Test
    void slotWithTheLongestCommonPrefixIsTaken() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, 3); ModelLease lease = rig.acquire()) {
            int[] first = Rig.prompt(1, 100);
            int[] second = Rig.prompt(2, 100);

            ask(rig, lease, first, 5, 0);
            ask(rig, lease, second, 5, 0);
            ask(rig, lease, Rig.extended(first, 3, 20), 5, 100);
            ask(rig, lease, Rig.extended(second, 4, 20), 5, 100);
        }
    }

    @Test
    void aFewCommonTokensDoNotCostASlotItsConversation() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, 2); ModelLease lease = rig.acquire()) {
            int[] template = Rig.prompt(1, 5);
            int[] conversation = Rig.extended(template, 2, 200);

            ask(rig, lease, conversation, 5, 0);
            ask(rig, lease, Rig.extended(template, 3, 200), 5, 0);
            ask(rig, lease, Rig.extended(conversation, 4, 20), 5, 205);
        }
    }

    @Test
    void leastRecentlyUsedSlotIsTakenWhenNoneHelps() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, 2); ModelLease lease = rig.acquire()) {
            int[] older = Rig.prompt(1, 100);
            int[] newer = Rig.prompt(2, 100);

            ask(rig, lease, older, 5, 0);
            ask(rig, lease, newer, 5, 0);
            ask(rig, lease, Rig.prompt(3, 100), 5, 0);
            ask(rig, lease, newer, 5, 99);
            ask(rig, lease, older, 5, 0);
        }
    }

    @ParameterizedTest
    @EnumSource(value = MemoryKind.class, names = {"ATTENTION", "SLIDING_WINDOW", "RECURRENT", "HYBRID"})
    void noOriginReusesWhatTheOthersRequestsLeft(MemoryKind kind) throws Exception {
        try (var rig = rig(kind, 2); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);
            int[] answer = ask(rig, lease, prompt, 20, 0);
            int[] next = Rig.extended(joined(prompt, answer), 2, 30);

            // Into the empty slot, which is not to take the other's tokens over; then where each has its own.
            assertThat(cached(rig, lease, Origin.RELAYED, next)).isZero();
            assertThat(cached(rig, lease, Origin.LOCAL, next)).isEqualTo(119);
            assertThat(rig.status().cachedTokens()).isEqualTo(119);
        }
    }

    @ParameterizedTest
    @EnumSource(Origin.class)
    void aSlotOfTheOtherOriginIsEmptiedWhenItIsTaken(Origin first) throws Exception {
        Origin second = first == Origin.LOCAL ? Origin.RELAYED : Origin.LOCAL;
        try (var rig = rig(MemoryKind.ATTENTION, 1); ModelLease lease = rig.acquire()) {
            int[] prompt = Rig.prompt(1, 100);

            assertThat(cached(rig, lease, first, prompt)).isZero();
            assertThat(cached(rig, lease, second, prompt)).isZero();
            assertThat(cached(rig, lease, second, prompt)).isEqualTo(99);
            assertThat(cached(rig, lease, first, prompt)).isZero();
            assertThat(rig.status().usedTokens()).isEqualTo(100 + 19);
        }
    }

    private static int cached(Rig rig, ModelLease lease, Origin origin, int[] prompt) throws Exception {
        try (Caller caller = Caller.of(prompt).max(20).from(origin).submit(lease)) {
            assertThat(caller.readAll()).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 20));
            return caller.generation().progress().cachedTokens();
        }
    }

    @Test
    void memoryInUseCountsIdlePrefixes() throws Exception {
        try (var rig = rig(MemoryKind.ATTENTION, 2); ModelLease lease = rig.acquire()) {
            ask(rig, lease, Rig.prompt(1, 100), 5, 0);
            ask(rig, lease, Rig.prompt(2, 50), 5, 0);

            assertThat(rig.status().usedTokens()).isEqualTo(104 + 54);
        }
    }
}
