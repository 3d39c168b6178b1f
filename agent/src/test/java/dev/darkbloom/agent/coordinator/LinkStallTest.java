package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.FakeGeneration;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A consumer who does not read for 5 s: a coordinator keeps 256 chunks for them, and drops the others (provider protocol, 0.1, fact 8). */
class LinkStallTest extends LinkTest {
    /** One a millisecond, by a clock that passes while somebody waits. */
    private static final int TOKENS = 5000;

    /** The models' time: a token is made in each millisecond that an answer waits. */
    private static final class ModelTime implements NanoClock {
        final ManualClock clock = new ManualClock();
        final FakeModelPool pool = new FakeModelPool(clock, "demo");

        @Override
        public long nanoTime() {
            return clock.nanoTime();
        }

        @Override
        public void parkUntil(Object blocker, long deadlineNanos) {
            FakeGeneration generation = pool.generations().getLast();
            while (deadlineNanos - nanoTime() > 0) {
                generation.goOn();
            }
        }
    }

    @Test
    void aModelsAnswerIsPacedSoThatAStallOfFiveSecondsLosesNothing() {
        var time = new ModelTime();
        String text = "abcdefghij".repeat(TOKENS / 10);
        time.pool.answers(Script.of(text));
        var settings = new CompletionsSettings(Duration.ofSeconds(15), Duration.ZERO, 8, 64, "fake-1", Map.of("demo", false));
        answerer = new Completions(time.pool, settings, InstantSource.system(), time)::relay;
        long begun = time.nanoTime();

        Asked asked = connect().askStalled("{\"model\":\"demo\",\"stream\":true,\"max_tokens\":8192,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}");
        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(Duration.ofNanos(time.nanoTime() - begun)).isGreaterThanOrEqualTo(Duration.ofSeconds(5));
        assertThat(asked.chunks()).isEmpty();
        asked.readOn();

        assertThat(asked.dropped()).isZero();
        assertThat(asked.text()).isEqualTo(text);
        assertThat(asked.events().getLast().path("choices").path(0).path("finish_reason").asText()).isEqualTo("stop");
    }

    @Test
    void whatIsNotPacedIsLostThere() {
        Asked asked = connect().askStalled("say 400");
        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
        asked.readOn();

        assertThat(asked.dropped()).isEqualTo(400 - 256);
    }
}
