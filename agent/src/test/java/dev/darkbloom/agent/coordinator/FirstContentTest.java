package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.darkbloom.agent.engine.FirstTokenTimes;
import dev.darkbloom.agent.engine.ModelHealth;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import java.util.Collections;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class FirstContentTest {
    private int busy = 4;
    private int waiting;
    private long finished = 10;
    private long generated = 1000;
    private long promised = 32_768; // what a coordinator writes into requests that name nothing
    private long kvTokens = 4 * 2048;
    private double prefill = 1000;
    private ModelState state = ModelState.READY;
    private double loadProgress = 1;
    private long loadMillis;
    private FirstTokenTimes times = FirstTokenTimes.NONE;

    @Test
    void nobodyWaitsForAFreeSlot() {
        busy = 3;

        assertThat(estimate(512).queueMs()).isZero();
        assertThat(estimate(512).ttftMs()).isEqualTo(512);
        assertThat(estimate(512).ttftP90Ms()).isEqualTo(768);
    }

    @Test
    void aQueueMovesByAnswersAsLongAsThoseBefore() {
        // Four answers of 100 tokens at 50 tokens/s each: one ends every half second.
        assertThat(estimate(512).queueMs()).isCloseTo(500, within(0.1));
        waiting = 3;
        assertThat(estimate(512).queueMs()).isCloseTo(2000, within(0.1));
    }

    @Test
    void noAnswerIsTakenToBeLongerThanItMayBe() {
        promised = 40;

        assertThat(estimate(512).queueMs()).isCloseTo(50, within(0.1));
    }

    @Test
    void aPromptThatFindsNoRoomWaitsThoughThereIsASlot() {
        busy = 1;
        kvTokens = 2000;

        assertThat(estimate(1024).queueMs()).isZero();
        assertThat(estimate(2000).queueMs()).isPositive();
    }

    @Test
    void aCachedBeginningIsNotHeldAgainstARequest() {
        times = new FirstTokenTimes(Collections.nCopies(5, new FirstTokenTimes.Sample(512, 20_000_000)));
        busy = 0;

        assertThat(estimate(512).leastMs()).isEqualTo(20);
        times = new FirstTokenTimes(Collections.nCopies(5, new FirstTokenTimes.Sample(512, 900_000_000)));
        assertThat(estimate(512).ttftMs()).isEqualTo(900);
        assertThat(estimate(512).leastMs()).isEqualTo(512);
    }

    @Test
    void aModelThatIsNotThereTakesItsLoadAtLeast() {
        prefill = 0;
        loadMillis = 30_000;

        assertThat(estimate(512).leastMs()).isZero();
        state = ModelState.UNLOADED;
        assertThat(estimate(512).leastMs()).isEqualTo(30_000);
        state = ModelState.LOADING;
        loadProgress = 0.75;
        assertThat(estimate(512).leastMs()).isEqualTo(7500);
    }

    @Test
    void nothingIsForetoldBeforeAnythingWasMeasured() {
        prefill = 0;

        assertThat(estimate(512).isKnown()).isFalse();
        assertThat(estimate(512).leastMs()).isZero();
    }

    private FirstContent estimate(long promptTokens) {
        return FirstContent.of(new ModelStatus("m", state, loadProgress, Optional.empty(), 4, busy, waiting, 64, 2048, 0, 0, 0, generated, 5, finished, 0, 0,
                0, 0, prefill, 200, 0, new ModelLoad(0, promised, kvTokens, 1, 1, 1), new ModelHealth(loadMillis, 0, 0, OptionalDouble.empty(),
                        OptionalDouble.empty(), 0, 0, 50, times)), promptTokens, 100);
    }
}
