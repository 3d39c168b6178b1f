package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import dev.darkbloom.agent.testing.Schemas;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Answers under a schema: whatever a model writes, an answer that ends with {@code stop} is JSON and valid under the schema, by the word of
 * a validator that is not ours. A model with random weights writes what no trained one would; a trained one writes what clients get.
 */
class StructuredOutputTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int SLOTS = 4;

    /** An engine with one model in it, asked by as many threads as it has slots. */
    private abstract static class OnAModel {
        private Engine engine;
        private Completions completions;

        void open(String id, Path file, int threads) throws InterruptedException {
            engine = Engine.open(EngineSettings.defaults().withMinContextTokens(512), LoadedModels.backend(), new MemoryLedger(4L << 30),
                    NanoClock.SYSTEM);
            ModelSpec spec = LoadedModels.spec(id, file, 1024, SLOTS);
            engine.register(spec.withCompute(spec.compute().withThreads(threads)), false);
            engine.load(id);
            completions = new Completions(engine, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
        }

        @AfterAll
        void close() {
            if (engine != null) {
                engine.close();
            }
            assertThat(Content.openCount()).isZero();
        }

        JsonNode choice(String members) {
            var sink = new RecordingSink();
            try (Content body = OffHeap.body("{" + members + "}")) {
                completions.run(Endpoint.CHAT_COMPLETIONS, new RequestId("r"), body, sink);
            }
            return sink.json().path("choices").path(0);
        }

        AgentException refusal(String members) {
            AgentException refused = catchThrowableOfType(AgentException.class, () -> choice(members));
            assertThat(refused).as(members.substring(0, Math.min(300, members.length()))).isNotNull();
            return refused;
        }

        static String message(String text) {
            return "\"messages\":[{\"role\":\"user\",\"content\":" + JSON.valueToTree(text) + "}]";
        }

        static String format(JsonNode schema, boolean strict) {
            return format(schema.toString(), strict);
        }

        static String format(String schema, boolean strict) {
            return "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"strict\":" + strict + ",\"schema\":" + schema + "}}";
        }

        /** Asks for an answer under every schema and checks all that ended by themselves; returns how many did. */
        int finished(String sampling, int maxTokens) throws Exception {
            var answers = new ArrayList<Callable<Boolean>>();
            for (Map.Entry<String, JsonNode> schema : Schemas.bounded().entrySet()) {
                answers.add(() -> ended(schema.getKey(), schema.getValue(), choice(message(schema.getKey() + " as JSON") + ","
                        + sampling + ",\"max_tokens\":" + maxTokens + "," + format(schema.getValue(), true))));
            }
            int finished = 0;
            for (Boolean ended : all(answers)) {
                finished += ended ? 1 : 0;
            }
            return finished;
        }

        static <T> List<T> all(List<Callable<T>> tasks) throws Exception {
            var results = new ArrayList<T>();
            try (var callers = Executors.newFixedThreadPool(SLOTS)) {
                for (Future<T> result : callers.invokeAll(tasks)) {
                    results.add(result.get());
                }
            }
            return results;
        }

        private static boolean ended(String name, JsonNode schema, JsonNode choice) throws JsonProcessingException {
            if (!choice.path("finish_reason").textValue().equals("stop")) {
                return false;
            }
            String answer = choice.path("message").path("content").textValue();
            assertThat(Schemas.complaints(schema, answer)).as("%s: %s", name, answer).isEmpty();
            return true;
        }

        static int suite() {
            int schemas = Schemas.bounded().size();
            assertThat(schemas).isGreaterThanOrEqualTo(60);
            return schemas;
        }

        /** {@code json_object} without a schema: any object, of whatever length; those that end are objects. */
        int finishedObjects(int seeds, int maxTokens) throws Exception {
            var answers = new ArrayList<Callable<Boolean>>();
            for (int i = 0; i < seeds; i++) {
                int seed = i;
                answers.add(() -> {
                    JsonNode choice = choice(message("Describe a cat in a short JSON object.") + ",\"temperature\":1,\"seed\":" + seed + ",\"max_tokens\":" + maxTokens
                            + ",\"response_format\":{\"type\":\"json_object\"}");
                    if (!choice.path("finish_reason").textValue().equals("stop")) {
                        return false;
                    }
                    assertThat(Schemas.complaints(JSON.readTree("{\"type\":\"object\"}"), choice.path("message").path("content").textValue())).isEmpty();
                    return true;
                });
            }
            int finished = 0;
            for (Boolean ended : all(answers)) {
                finished += ended ? 1 : 0;
            }
            return finished;
        }
    }

    @Nested
    @Tag("model")
    @TestInstance(TestInstance.Lifecycle.PER_CLASS)
    class OnRandomWeights extends OnAModel {
        @BeforeAll
        void load(@TempDir Path folder) throws IOException, InterruptedException {
            Path file = folder.resolve("tiny.gguf");
            Files.write(file, TinyModels.llama(5).toBytes());
            open("tiny", file, 1);
        }

        @Test
        void whatEndsIsValidAtTemperatureZero() throws Exception {
            assertThat(finished("\"temperature\":0", 300)).isGreaterThan(suite() / 2);
        }

        @ParameterizedTest
        @CsvSource({"1", "2", "3", "4", "5", "6"})
        void whatEndsIsValidAtTemperatureOne(int seed) throws Exception {
            assertThat(finished("\"temperature\":1,\"top_k\":0,\"top_p\":1,\"min_p\":0,\"seed\":" + seed, 400)).isGreaterThan(suite() * 8 / 10);
        }

        @Test
        void anObjectOfAnyKindIsAnObject() throws Exception {
            assertThat(finishedObjects(12, 600)).isPositive();
        }
    }

    @Nested
    @Tag("realmodel")
    @TestInstance(TestInstance.Lifecycle.PER_CLASS)
    class OnATrainedModel extends OnAModel {
        @BeforeAll
        void load() throws InterruptedException {
            open("smollm2", TestModels.smollm2(), 1);
        }

        @Test
        void whatEndsIsValidAtTemperatureZero() throws Exception {
            assertThat(finished("\"temperature\":0", 24)).isGreaterThan(suite() / 2);
        }

        @Test
        void whatEndsIsValidAtTemperatureOne() throws Exception {
            assertThat(finished("\"temperature\":1,\"seed\":11", 24)).isGreaterThan(suite() / 2);
        }

        @Test
        void anObjectOfAnyKindIsAnObject() throws Exception {
            assertThat(finishedObjects(8, 100)).isPositive();
        }
    }
}
