package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.testing.FakeModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EngineTest {
    @Test
    void firstRequestLoadsTheModelAndIsAnswered() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            int[] prompt = Rig.prompt(1, 10);

            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(prompt).max(20).submit(lease)) {
                int[] answer = caller.readAll();

                assertThat(answer).isEqualTo(FakeModel.answer(rig.behaviour, prompt, 20));
                assertThat(caller.ending()).isEqualTo(FinishReason.LENGTH);
                assertThat(rig.status().state()).isEqualTo(ModelState.READY);
                assertThat(rig.status().finished()).isEqualTo(1);
                assertThat(rig.status().busySlots()).isZero();
            }
        }
    }

    @Test
    void endOfGenerationTokenEndsTheAnswerAndIsNotPartOfIt() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            rig.behaviour.endOneIn(5);
            int[] prompt = Rig.prompt(2, 10);
            int[] expected = FakeModel.answer(rig.behaviour, prompt, 200);

            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(prompt).max(200).submit(lease)) {
                int[] answer = caller.readAll();

                assertThat(expected.length).isLessThan(200);
                assertThat(answer).isEqualTo(expected);
                assertThat(caller.ending()).isEqualTo(FinishReason.STOP);
                assertThat(caller.generation().progress().generatedTokens()).isEqualTo(expected.length);
            }
        }
    }

    @Test
    void eightTogetherGetWhatEachGetsAlone() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 8))) {
            rig.behaviour.hold();
            Caller[] callers = new Caller[8];

            try (ModelLease lease = rig.acquire()) {
                for (int i = 0; i < 8; i++) {
                    callers[i] = Caller.of(Rig.prompt(i, 5 + 13 * i)).max(40).submit(lease);
                }
                rig.behaviour.release();
                for (int i = 0; i < 8; i++) {
                    assertThat(callers[i].readAll()).isEqualTo(FakeModel.answer(rig.behaviour, Rig.prompt(i, 5 + 13 * i), 40));
                    callers[i].close();
                }
            }
            assertThat(rig.behaviour.mostSequencesInBatch()).isEqualTo(8);
        }
    }

    @Test
    void cancelledGenerationEndsWithinOneStep() throws Exception {
        try (var rig = Rig.of(Rig.spec(256, 2))) {
            rig.behaviour.hold();

            try (ModelLease lease = rig.acquire(); Caller caller = Caller.of(Rig.prompt(1, 10)).max(100).submit(lease)) {
                rig.behaviour.step();
                caller.read(1);
                rig.awaitHeld();
                caller.generation().cancel();
                rig.behaviour.step();
                caller.awaitEnd();

                assertThat(caller.ending()).isEqualTo(FinishReason.CANCELLED);
                assertThat(rig.behaviour.decodes()).isEqualTo(2);
                assertThat(rig.status().cancelled()).isEqualTo(1);
            }
        }
    }
}
