package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.testing.RecordingSink;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The demo model through the whole of this room and the real engine: every answer that its evaluation set calls right. */
@Tag("model")
class DemoAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    @Test
    void documentsAreTheEvaluationSetsAnswers() throws IOException {
        List<String> wrong = new ArrayList<>();
        for (JsonNode row : rightRows()) {
            JsonNode choice = ask(request(row, false)).json().path("choices").path(0);
            check(row, choice.path("message").path("content").asText(""), choice.path("message").path("tool_calls"),
                    choice.path("finish_reason").textValue(), wrong);
        }
        assertThat(wrong).isEmpty();
        assertAllSlotsFree();
    }

    @Test
    void streamsOfFourAtATimeAreTheEvaluationSetsAnswers() throws IOException, InterruptedException, ExecutionException {
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        try (var threads = Executors.newFixedThreadPool(4, Thread.ofVirtual().name("request-", 0).factory())) {
            List<Future<?>> running = new ArrayList<>();
            for (JsonNode row : rightRows()) {
                running.add(threads.submit(() -> checkStream(row, wrong)));
            }
            for (Future<?> future : running) {
                future.get();
            }
        }
        assertThat(wrong).isEmpty();
        assertAllSlotsFree();
    }

    private static void checkStream(JsonNode row, List<String> wrong) {
        RecordingSink sink = ask(request(row, true));
        var content = new StringBuilder();
        Map<Integer, ObjectNode> calls = new TreeMap<>();
        String finish = null;
        for (JsonNode event : sink.events()) {
            JsonNode choice = event.path("choices").path(0);
            content.append(choice.path("delta").path("content").asText(""));
            for (JsonNode call : choice.path("delta").path("tool_calls")) {
                ObjectNode function = calls.computeIfAbsent(call.path("index").intValue(), _ -> JSON.createObjectNode());
                if (call.path("function").has("name")) {
                    function.put("name", call.path("function").path("name").textValue());
                }
                function.put("arguments", function.path("arguments").asText("") + call.path("function").path("arguments").asText(""));
            }
            finish = choice.path("finish_reason").isTextual() ? choice.path("finish_reason").textValue() : finish;
        }
        var list = JSON.createArrayNode();
        calls.values().forEach(call -> list.addObject().set("function", call));
        check(row, content.toString(), list, finish, wrong);
    }

    private static void check(JsonNode row, String content, JsonNode calls, String finish, List<String> wrong) {
        boolean right = row.has("tool") ? isCall(row.path("tool"), calls) && finish.equals("tool_calls")
                : row.has("exact") ? content.equals(row.path("exact").textValue()) && calls.isEmpty() && finish.equals("stop")
                : !row.has("expect") || content.contains(row.path("expect").path(0).textValue());
        if (!right) {
            wrong.add(row.path("id").textValue() + ": " + content + " " + calls + " " + finish);
        }
    }

    private static boolean isCall(JsonNode expected, JsonNode calls) {
        try {
            JsonNode function = calls.path(0).path("function");
            return calls.size() == 1 && function.path("name").equals(expected.path("name"))
                    && JSON.readTree(function.path("arguments").asText()).equals(expected.path("arguments"));
        } catch (IOException e) {
            return false;
        }
    }

    private static ObjectNode request(JsonNode row, boolean stream) {
        ObjectNode request = JSON.createObjectNode().put("model", "demo").put("temperature", 0).put("stream", stream);
        request.set("messages", row.path("messages"));
        if (row.has("tools")) {
            request.set("tools", row.path("tools"));
        }
        if (row.has("max_tokens")) {
            request.set("max_tokens", row.path("max_tokens"));
        }
        if (row.has("options")) {
            request.set("chat_template_kwargs", row.path("options"));
        }
        return request;
    }

    private static RecordingSink ask(ObjectNode request) {
        return demo.ask(Endpoint.CHAT_COMPLETIONS, request.toString());
    }

    private static void assertAllSlotsFree() {
        assertThat(demo.status().busySlots()).isZero();
        assertThat(demo.status().waiting()).isZero();
        assertThat(demo.status().failed()).isZero();
    }

    private static List<JsonNode> rightRows() throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        try (var reader = new BufferedReader(new InputStreamReader(DemoAnswersTest.class.getResourceAsStream("/demo-model/eval.jsonl"), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                JsonNode row = JSON.readTree(line);
                if (row.path("shipped").textValue().equals("right")) {
                    rows.add(row);
                }
            }
        }
        return rows;
    }
}
