package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a running agent does with an embedding model, with unknown parameters and with a temperature at the edge of a float. */
@Tag("model")
class ServingTest {
    @TempDir
    Path folder;

    @Test
    void anEmbeddingModelAnswersEmbeddingsAndATextModelRefusesThem() throws IOException, InterruptedException {
        Path encoder = TinyModels.embedding(3).write(folder.resolve("tiny-encoder.gguf"));
        try (var agent = AgentProcess.start(folder, "--model", encoder.toString(), "--model", "demo", "--threads", "1")) {
            JsonNode one = agent.ask("embeddings", "{\"model\":\"tiny-encoder\",\"input\":\"hello\"}");
            JsonNode two = agent.ask("embeddings", "{\"model\":\"tiny-encoder\",\"input\":[\"hello\",\"a river\"]}");

            JsonNode vector = one.at("/data/0/embedding");
            double square = 0;
            for (JsonNode number : vector) {
                square += number.asDouble() * number.asDouble();
            }
            assertThat(square).isBetween(0.999, 1.001);
            // Beside another input it is computed in other pieces, and rounded otherwise.
            assertThat(difference(vector, two.at("/data/0/embedding"))).isLessThan(1e-5);
            assertThat(difference(vector, two.at("/data/1/embedding"))).isGreaterThan(1e-3);
            assertThat(one.at("/usage/prompt_tokens").asInt()).isPositive();

            assertThat(agent.post("embeddings", "{\"model\":\"demo\",\"input\":\"hello\"}").body()).contains("embeddings_not_configured");
            assertThat(agent.post("chat/completions", "{\"model\":\"tiny-encoder\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}").statusCode())
                    .isEqualTo(400);
            assertThat(agent.post("embeddings", "{\"model\":\"tiny-encoder\",\"input\":\"" + "word ".repeat(3000) + "\"}").body())
                    .contains("request_exceeds_context");
        }
    }

    /** Returns the largest difference of two numbers at one place. */
    private static double difference(JsonNode one, JsonNode other) {
        assertThat(one).hasSameSizeAs(other);
        return IntStream.range(0, one.size()).mapToDouble(i -> Math.abs(one.get(i).asDouble() - other.get(i).asDouble())).max().orElseThrow();
    }

    @Test
    void aModelThatRanksAnswersRerankAndNothingElse() throws IOException, InterruptedException {
        Path ranker = TinyModels.ranking(3).write(folder.resolve("tiny-ranker.gguf"));
        try (var agent = AgentProcess.start(folder, "--model", ranker.toString(), "--model", "demo", "--threads", "1")) {
            String question = "\"query\":\"hello\",\"documents\":[\"hello world\",\"a river\"]";
            JsonNode answer = agent.ask("rerank", "{\"model\":\"tiny-ranker\"," + question + "}");

            assertThat(answer.at("/results").findValuesAsText("index")).containsExactlyInAnyOrder("0", "1");
            assertThat(answer.at("/results/0/relevance_score").asDouble()).isGreaterThan(answer.at("/results/1/relevance_score").asDouble());
            assertThat(agent.ask("/reranking", "{\"model\":\"tiny-ranker\",\"top_n\":1," + question + "}").at("/results")).hasSize(1);

            assertThat(agent.post("rerank", "{\"model\":\"demo\"," + question + "}").body()).contains("rerank_not_configured");
            assertThat(agent.post("embeddings", "{\"model\":\"tiny-ranker\",\"input\":\"hello\"}").body()).contains("embeddings_not_configured");
        }
    }

    @Test
    void aParameterThatNobodyDocumentsIsIgnoredAndCounted() throws IOException, InterruptedException {
        try (var agent = AgentProcess.start(folder, "--model", "demo", "--threads", "1")) {
            agent.ask("chat/completions", "{\"model\":\"demo\",\"wibble\":1,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}");

            assertThat(agent.metric("darkbloom_unknown_parameters_total")).isEqualTo(1);
        }
    }

    @Test
    void aTemperatureThatIsAlmostZeroIsGreedy() throws IOException, InterruptedException {
        try (var agent = AgentProcess.start(folder, "--model", "demo", "--threads", "1")) {
            JsonNode answer = agent.ask("chat/completions",
                    "{\"model\":\"demo\",\"temperature\":1e-38,\"messages\":[{\"role\":\"user\",\"content\":\"What colour is the sky?\"}]}");

            assertThat(answer.at("/choices/0/message/content").asText()).isEqualTo("The sky is blue.");
        }
    }
}
