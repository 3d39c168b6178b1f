package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.coordinator.Chaos.Ask;
import dev.darkbloom.agent.coordinator.Chaos.Due;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * 240 random bad things to a link under load, before a node without an engine, whose answers are known to the token. Afterwards every request has
 * ended as it had to, nothing runs, no content and no key is held, and the node is connected. {@link ChaosOnModelTest} has the engine.
 */
@Tag("native") // libsodium
@Tag("slow")
@Timeout(300)
class ChaosTest {
    private static final int FAULTS = 240;
    private static final long SEED = 20261129;

    @TempDir
    Path folder;

    private static final class Words implements Chaos.Asks {
        @Override
        public Ask next(Random random) {
            return switch (random.nextInt(6)) {
                case 0 -> endless();
                case 1 -> new Ask("wait", Due.NONE);
                case 2 -> new Ask("fail " + random.nextInt(4), Due.FAILURE);
                default -> new Ask("say " + random.nextInt(40), Due.ANSWER);
            };
        }

        @Override
        public Ask endless() {
            return new Ask("hold", Due.NONE);
        }

        @Override
        public Ask proof() {
            return new Ask("say 3", Due.ANSWER);
        }

        @Override
        public void checkAnswer(Asked asked, End.Complete end) {
            assertThat(asked.chunks()).hasSize((int) end.completionTokens());
        }

        @Override
        public void checkFailure(End.Failed end) {
            assertThat(end.status()).isEqualTo(400);
            assertThat(end.code()).isIn("invalid_request", "encryption_failure");
        }
    }

    @Test
    void everyRequestEndsAndTheNodeComesBack() {
        long contents = Content.openCount();
        long keys = BoxKeys.openCount();

        Chaos.Ends ends = new Chaos(new Words(), SEED).run(FAULTS, folder, node -> node);
        assertThat(ends.answered()).isGreaterThan(100); // most faults end a connection, but not every request is to be lost by them
        assertThat(List.of(ends.failed(), ends.cancelled(), ends.lost())).allMatch(count -> count > 0);

        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(Content.openCount()).isEqualTo(contents));
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(BoxKeys.openCount()).isEqualTo(keys));
    }
}
