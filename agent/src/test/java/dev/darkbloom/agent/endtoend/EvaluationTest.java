package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The demo model's own evaluation set, asked over HTTP: every case that this very file answers exactly must be answered exactly. */
@Tag("model")
class EvaluationTest {
    @TempDir
    static Path folder;

    private static AgentProcess agent;

    @BeforeAll
    static void start() throws IOException {
        agent = AgentProcess.start(folder, "--model", "demo", "--threads", "1"); // two would wait for each other on a busy machine
    }

    @AfterAll
    static void stop() {
        agent.close();
    }

    /** One line of {@code eval.jsonl}; prints as its id. */
    record Case(String id, JsonNode line) {
        @Override
        public String toString() {
            return id;
        }
    }

    static Stream<Case> rightCases() throws IOException {
        try (var reader = new BufferedReader(
                new InputStreamReader(EvaluationTest.class.getResourceAsStream("/demo-model/eval.jsonl"), StandardCharsets.UTF_8))) {
            var cases = Stream.<Case>builder();
            for (String text = reader.readLine(); text != null; text = reader.readLine()) {
                JsonNode line = AgentProcess.JSON.readTree(text);
                if (line.get("shipped").asText().equals("right")) {
                    cases.add(new Case(line.get("id").asText(), line));
                }
            }
            return cases.build();
        }
    }

    private static ObjectNode request(Case each) {
        ObjectNode request = AgentProcess.JSON.createObjectNode();
        request.put("model", "demo").put("temperature", 0).put("max_tokens", each.line.path("max_tokens").asInt(600));
        request.set("messages", each.line.get("messages"));
        if (each.line.has("tools")) {
            request.set("tools", each.line.get("tools"));
        }
        if (each.line.has("options")) {
            request.set("chat_template_kwargs", each.line.get("options"));
        }
        return request;
    }

    @ParameterizedTest
    @MethodSource("rightCases")
    void aCaseThatTheShippedFileAnswersIsAnsweredOverHttp(Case each) throws IOException, InterruptedException {
        JsonNode line = each.line;
        String group = line.get("group").asText();

        JsonNode choice = agent.ask("chat/completions", request(each).toString()).get("choices").get(0);

        JsonNode message = choice.get("message");
        String content = message.path("content").asText("");
        if (line.has("tool")) {
            assertThat(choice.get("finish_reason").asText()).isEqualTo("tool_calls");
            assertThat(message.get("tool_calls")).hasSize(1);
            JsonNode function = message.get("tool_calls").get(0).get("function");
            assertThat(function.get("name")).isEqualTo(line.get("tool").get("name"));
            assertThat(AgentProcess.JSON.readTree(function.get("arguments").asText())).isEqualTo(line.get("tool").get("arguments"));
            return;
        }
        assertThat(choice.get("finish_reason").asText()).isEqualTo("stop");
        assertThat(message.has("tool_calls")).isFalse();
        assertThat(message.path("reasoning_content").asText("").isEmpty()).as("reasoning is empty").isEqualTo(!group.equals("thinking"));
        if (line.has("exact")) {
            assertThat(content).isEqualTo(line.get("exact").asText());
        }
        for (JsonNode expected : line.path("expect")) {
            assertThat(content).containsIgnoringCase(expected.asText());
        }
        if (group.equals("json")) {
            assertThat(AgentProcess.JSON.readTree(content).isContainerNode()).isTrue();
        }
    }

    /** The same answers, cut into events, are the same answers. */
    @ParameterizedTest
    @MethodSource("rightCases")
    void theStreamedAnswerIsTheWholeAnswer(Case each) throws IOException, InterruptedException {
        ObjectNode request = request(each);
        JsonNode whole = agent.ask("chat/completions", request.toString()).get("choices").get(0);
        request.put("stream", true);

        var content = new StringBuilder();
        var reasoning = new StringBuilder();
        var arguments = new StringBuilder();
        String finish = null;
        List<String> events = agent.stream("chat/completions", request.toString());
        for (String event : events.subList(0, events.size() - 1)) {
            JsonNode choice = AgentProcess.JSON.readTree(event).get("choices").get(0);
            JsonNode delta = choice.get("delta");
            content.append(delta.path("content").asText(""));
            reasoning.append(delta.path("reasoning_content").asText(""));
            for (JsonNode call : delta.path("tool_calls")) {
                arguments.append(call.path("function").path("arguments").asText(""));
            }
            if (!choice.get("finish_reason").isNull()) {
                finish = choice.get("finish_reason").asText();
            }
        }

        assertThat(events.getLast()).isEqualTo("[DONE]");
        assertThat(content).hasToString(whole.get("message").path("content").asText(""));
        assertThat(reasoning).hasToString(whole.get("message").path("reasoning_content").asText(""));
        JsonNode calls = whole.get("message").path("tool_calls");
        assertThat(arguments).hasToString(calls.isEmpty() ? "" : calls.get(0).get("function").get("arguments").asText());
        assertThat(finish).isEqualTo(whole.get("finish_reason").asText());
    }
}
