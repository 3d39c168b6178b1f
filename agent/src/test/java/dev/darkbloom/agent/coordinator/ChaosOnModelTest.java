package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.coordinator.Chaos.Ask;
import dev.darkbloom.agent.coordinator.Chaos.Due;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * As {@link ChaosTest}, before the engine with the demo model: afterwards every slot is free, what runs takes no cell of the KV cache, every native
 * handle of a request is freed, and the memory ledger holds what it held before.
 */
@Tag("model")
@Tag("slow")
@Timeout(300)
class ChaosOnModelTest {
    private static final int FAULTS = 120;
    private static final long SEED = 20261130;
    private static final int SLOTS = 4;

    @TempDir
    Path folder;

    private static final class Chats implements Chaos.Asks {
        private static final String SCHEMA = ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"object\","
                + "\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"],\"additionalProperties\":false}}}";
        private static final String TOOL = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\","
                + "\"properties\":{\"a\":{\"type\":\"integer\"}}}}}]";

        @Override
        public Ask next(Random random) {
            String word = "number " + random.nextInt(1000);
            return switch (random.nextInt(8)) {
                case 0 -> endless();
                case 1 -> new Ask(chat(word, ",\"temperature\":-1"), Due.FAILURE);
                case 2 -> new Ask(chat(word, ",\"max_tokens\":20" + SCHEMA), Due.ANSWER);
                case 3 -> new Ask(chat(word, ",\"max_tokens\":20,\"stream\":true" + TOOL), Due.ANSWER);
                case 4 -> new Ask(chat("x ".repeat(4000), ""), Due.FAILURE); // more than the context holds
                case 5 -> new Ask(chat(word, ",\"max_tokens\":12"), Due.ANSWER);
                default -> new Ask(chat(word, ",\"max_tokens\":" + (1 + random.nextInt(30)) + ",\"stream\":true"), Due.ANSWER);
            };
        }

        private static String chat(String text, String more) {
            return "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]" + more + "}";
        }

        @Override
        public Ask endless() {
            return new Ask(chat("Hello", ",\"max_tokens\":400,\"ignore_eos\":true,\"stream\":true"), Due.NONE);
        }

        @Override
        public Ask proof() {
            return new Ask(chat("Hello", ",\"max_tokens\":5,\"temperature\":0,\"stream\":true"), Due.ANSWER);
        }

        @Override
        public void checkAnswer(Asked asked, End.Complete end) {
            assertThat(end.completionTokens()).isPositive();
            assertThat(asked.events().getLast().path("choices").path(0).path("finish_reason").asText()).isIn("stop", "length", "tool_calls");
        }

        @Override
        public void checkFailure(End.Failed end) {
            assertThat(end.status()).isEqualTo(400);
            assertThat(end.code()).isIn("invalid_request", "encryption_failure");
        }
    }

    @Test
    void everySlotAndEveryHandleIsFreeAgain() throws Exception {
        long contents = Content.openCount();
        long keys = BoxKeys.openCount();
        var models = new CountedModels(LoadedModels.backend());
        var ledger = new MemoryLedger(4L << 30);
        try (Engine engine = Engine.open(EngineSettings.defaults().withMinContextTokens(512), models, ledger, NanoClock.SYSTEM)) {
            ModelSpec spec = LoadedModels.spec("demo", TestModels.demo(), 2048, SLOTS);
            engine.register(spec.withCompute(spec.compute().withThreads(1)), false);
            engine.load("demo");
            long reserved = ledger.reservedBytes();
            Map<String, Integer> handles = models.open();
            var completions = new Completions(engine, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);

            Chaos.Ends ends = new Chaos(new Chats(), SEED).run(FAULTS, folder, _ -> completions::relay);
            assertThat(ends.answered()).isGreaterThan(40); // most faults end a connection, but not every request is to be lost by them
            assertThat(List.of(ends.failed(), ends.cancelled(), ends.lost())).allMatch(count -> count > 0);

            await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
                ModelStatus status = engine.models().getFirst();
                assertThat(status.busySlots()).isZero();
                assertThat(status.waiting()).isZero();
                assertThat(status.load().runningTokens()).isZero();
                assertThat(status.load().promisedTokens()).isZero();
                assertThat(models.open()).isEqualTo(handles);
            });
            assertThat(engine.models().getFirst().lastError()).isEmpty();
            assertThat(ledger.reservedBytes()).isEqualTo(reserved);
            assertThat(models.opened()).containsKeys("TokenSampler", "ChatFormat", "ChatParser").containsEntry("TokenDecoder", 1);
        }
        assertThat(models.open()).isEmpty();
        assertThat(ledger.reservedBytes()).isZero();
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(Content.openCount()).isEqualTo(contents));
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(BoxKeys.openCount()).isEqualTo(keys));
    }
}
