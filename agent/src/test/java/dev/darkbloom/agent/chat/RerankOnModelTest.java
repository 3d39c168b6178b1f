package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import dev.darkbloom.agent.testing.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A random BERT with a classification head through the whole way: its scores are those that llama.cpp gives to {@code [CLS] query [SEP] document}. */
@Tag("model")
class RerankOnModelTest {
    private static final int CLS = 2;
    private static final int SEP = 3;

    @TempDir
    Path folder;

    @Test
    void scoresAreThoseOfThePairsAndTheBestComesFirst() throws InterruptedException {
        Path file = TinyModels.ranking(5).write(folder.resolve("tiny-ranker.gguf"));
        var spec = new ModelSpec("tiny-ranker", List.of(file), 256, 2, KvLayout.STREAMS, 512, 0, true, "", ComputeSettings.safe(1, 256, 256));
        List<String> documents = List.of("the world", "hello", "a river, a boat and the fog", "hello");

        JsonNode results;
        try (Engine engine = Engine.open(EngineSettings.defaults().withMinContextTokens(64), LoadedModels.backend(), new MemoryLedger(1L << 30),
                NanoClock.SYSTEM)) {
            engine.register(spec, false);
            engine.load("tiny-ranker");
            results = rank(engine, "hello world", documents).path("results");
        }

        float[] expected = scores(spec, "hello world", documents);
        assertThat(results).hasSize(4);
        for (JsonNode result : results) {
            assertThat(result.path("relevance_score").floatValue()).isCloseTo(expected[result.path("index").intValue()], offset(1e-5f));
        }
        assertThat(results.findValues("relevance_score").stream().map(JsonNode::doubleValue)).isSortedAccordingTo((one, two) -> Double.compare(two, one));
        assertThat(expected[1]).isEqualTo(expected[3]).isNotEqualTo(expected[0]);
    }

    private static JsonNode rank(Engine engine, String query, List<String> documents) {
        var completions = new Completions(engine, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
        var sink = new RecordingSink();
        try (Content body = OffHeap.body("{\"query\":\"" + query + "\",\"documents\":[\"" + String.join("\",\"", documents) + "\"]}")) {
            completions.run(Endpoint.RERANK, new RequestId("r"), body, sink);
        }
        return sink.json();
    }

    private static float[] scores(ModelSpec spec, String query, List<String> documents) {
        float[] scores = new float[documents.size()];
        try (ModelRuntime model = LoadedModels.load(spec); TokenDecoder decoder = model.openDecoder(); var arena = Arena.ofConfined()) {
            MemorySegment score = arena.allocate(ValueLayout.JAVA_FLOAT);
            for (int i = 0; i < scores.length; i++) {
                int[] pair = Stream.of(IntStream.of(CLS), words(model, query), IntStream.of(SEP), words(model, documents.get(i)))
                        .flatMapToInt(part -> part).toArray();
                decoder.clearBatch();
                for (int at = 0; at < pair.length; at++) {
                    decoder.add(pair[at], at, 0, true);
                }
                assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
                decoder.copyEmbedding(0, score);
                decoder.removeFrom(0, 0);
                scores[i] = score.get(ValueLayout.JAVA_FLOAT, 0);
            }
        }
        return scores;
    }

    /** Returns the tokens of a text without the ones that its tokenizer puts around it. */
    private static IntStream words(ModelRuntime model, String text) {
        int[] tokens = LoadedModels.tokens(model, text);
        assertThat(tokens[0]).isEqualTo(CLS);
        assertThat(tokens[tokens.length - 1]).isEqualTo(SEP);
        return Arrays.stream(tokens, 1, tokens.length - 1);
    }
}
