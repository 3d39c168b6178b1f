package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeTokenizer;
import dev.darkbloom.agent.testing.RecordingSink;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The answers of {@code /v1/messages}. */
class MessagesTest {
    private static final String TOOLS = ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]";

    private static String body(String more) {
        return "{\"model\":\"demo\",\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]" + more + "}";
    }

    private static RecordingSink ask(ChatFixture fixture, String more) {
        return fixture.ask(Endpoint.MESSAGES, body(more));
    }

    private static JsonNode document(String answer, String more) {
        return ask(ChatFixture.answering(answer), more).json();
    }

    private static RecordingSink stream(String answer, String more) {
        return ask(ChatFixture.answering(answer), ",\"stream\":true" + more);
    }

    @Test
    void aDocumentHasTheShapeOfAnthropicsApi() {
        JsonNode json = document("Hello 🚀 \"you\"", "");

        assertThat(json.path("id").textValue()).isEqualTo("msg_r1");
        assertThat(json.path("type").textValue()).isEqualTo("message");
        assertThat(json.path("role").textValue()).isEqualTo("assistant");
        assertThat(json.path("model").textValue()).isEqualTo("demo");
        assertThat(json.path("content").toString()).isEqualTo("[{\"type\":\"text\",\"text\":\"Hello 🚀 \\\"you\\\"\"}]");
        assertThat(json.path("stop_reason").textValue()).isEqualTo("end_turn");
        assertThat(json.path("stop_sequence").isNull()).isTrue();
        assertThat(json.path("usage").path("cache_read_input_tokens").intValue()).isEqualTo(3);
        assertThat(json.path("usage").path("cache_creation_input_tokens").intValue()).isZero();
        assertThat(json.path("usage").path("output_tokens").intValue()).isEqualTo("Hello ???? \"you\"".length());
    }

    @Test
    void anAnswerThatDoesNotFollowItsFormatIsTextWithAWarning() {
        JsonNode message = document("Well <call", "");
        List<JsonNode> events = stream("Well <call", "").events();

        assertThat(message.path("content").path(0).path("text").textValue()).isEqualTo("Well <call");
        assertThat(message.path("warning").textValue()).contains("format");
        JsonNode delta = events.get(events.size() - 2);
        assertThat(delta.path("type").textValue()).isEqualTo("message_delta");
        assertThat(delta.path("delta").path("stop_reason").textValue()).isEqualTo("end_turn");
        assertThat(delta.path("warning").textValue()).contains("format");
        assertThat(delta.path("usage").path("output_tokens").intValue()).isPositive();
    }

    @Test
    void blocksStandInTheOrderInWhichTheModelWroteThem() {
        JsonNode content = document("<think>hm</think>\n\nLet me see.<call f>{\"a\": [1]}</call><call g>{}</call>", TOOLS).path("content");

        assertThat(content.toString()).isEqualTo("[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},"
                + "{\"type\":\"text\",\"text\":\"Let me see.\"},"
                + "{\"type\":\"tool_use\",\"id\":\"call_0\",\"name\":\"f\",\"input\":{\"a\":[1]}},"
                + "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"g\",\"input\":{}}]");
    }

    @Test
    void aStreamHasEveryEventInItsPlace() {
        RecordingSink sink = stream("<think>hm</think>Yes<call f>{\"a\":1}</call>", TOOLS);

        List<String> types = new ArrayList<>();
        for (String type : sink.types()) { // runs of deltas count once
            if (!type.equals("content_block_delta") || !types.getLast().equals(type)) {
                types.add(type);
            }
        }
        assertThat(types).containsExactly("message_start",
                "content_block_start", "content_block_delta", "content_block_stop",
                "content_block_start", "content_block_delta", "content_block_stop",
                "content_block_start", "content_block_delta", "content_block_stop",
                "message_delta", "message_stop");
        List<JsonNode> events = sink.events();
        assertThat(events.stream().map(event -> event.path("type").textValue()).toList()).isEqualTo(sink.types());
        assertThat(sink.hasEndedTyped()).isTrue();
        JsonNode start = events.getFirst().path("message");
        assertThat(start.path("id").textValue()).isEqualTo("msg_r1");
        assertThat(start.path("content").isArray()).isTrue();
        assertThat(start.path("stop_reason").isNull()).isTrue();
        assertThat(start.path("usage").path("cache_read_input_tokens").intValue()).isEqualTo(3);
        JsonNode end = events.get(events.size() - 2);
        assertThat(end.path("delta").toString()).isEqualTo("{\"stop_reason\":\"tool_use\",\"stop_sequence\":null}");
        assertThat(end.path("usage").path("input_tokens")).isEqualTo(start.path("usage").path("input_tokens"));
        assertThat(end.path("usage").path("output_tokens").intValue()).isEqualTo("<think>hm</think>Yes<call f>{\"a\":1}</call>".length());
    }

    /** A property: whatever the answer and however its tokens come together, the deltas add up to the document. */
    @ParameterizedTest
    @CsvSource({"1", "2", "3", "7", "100"})
    void theDeltasOfAStreamAddUpToTheDocument(int tokensAtOnce) {
        for (String answer : List.of("Hey", " \n", "  two  lines\n\n", "<think> a\nb </think>\n é🚀", "<call f>{\"x\":\"\\\"\"}</call>", "",
                "<think>only</think>", "a <call f>{}</call> \n <call f>{\"y\": 2}</call>\n", "x<think>y</think>z")) {
            JsonNode whole = document(answer, TOOLS);
            RecordingSink sink = ask(ChatFixture.answering(Script.of(answer).perAwait(tokensAtOnce)), ",\"stream\":true" + TOOLS);

            assertThat(rebuilt(sink)).as(answer).isEqualTo(whole.path("content").toString());
            JsonNode delta = sink.events().get(sink.events().size() - 2);
            assertThat(delta.path("delta").path("stop_reason")).isEqualTo(whole.path("stop_reason"));
            assertThat(delta.path("usage")).isEqualTo(whole.path("usage"));
        }
    }

    /** Does what the SDK does: starts each block and adds its deltas. */
    private static String rebuilt(RecordingSink sink) {
        List<String> blocks = new ArrayList<>();
        var piece = new StringBuilder();
        JsonNode block = null;
        for (JsonNode event : sink.events()) {
            switch (event.path("type").textValue()) {
                case "content_block_start" -> {
                    assertThat(event.path("index").intValue()).isEqualTo(blocks.size());
                    block = event.path("content_block");
                    piece.setLength(0);
                }
                case "content_block_delta" -> {
                    assertThat(event.path("index").intValue()).isEqualTo(blocks.size());
                    JsonNode delta = event.path("delta");
                    piece.append(delta.path("text").asText("")).append(delta.path("thinking").asText("")).append(delta.path("partial_json").asText(""));
                }
                case "content_block_stop" -> {
                    var object = (ObjectNode) block;
                    switch (object.path("type").textValue()) {
                        case "text" -> object.put("text", piece.toString());
                        case "thinking" -> object.put("thinking", piece.toString());
                        default -> object.putRawValue("input", new RawValue(piece.toString().replace(" ", "")));
                    }
                    blocks.add(object.toString());
                }
                default -> { }
            }
        }
        return "[" + String.join(",", blocks) + "]";
    }

    @Test
    void theStopSequenceThatMatchedIsNamed() {
        String stops = ",\"stop_sequences\":[\"zzz\",\"\",\" th\\u0072ee\",\"three four\"]";
        JsonNode json = document("one two three four", stops);

        assertThat(json.path("content").path(0).path("text").textValue()).isEqualTo("one two");
        assertThat(json.path("stop_reason").textValue()).isEqualTo("stop_sequence");
        assertThat(json.path("stop_sequence").textValue()).isEqualTo(" three");

        List<JsonNode> events = stream("one two three four", stops).events();
        assertThat(events.get(events.size() - 2).path("delta").toString()).isEqualTo("{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\" three\"}");
    }

    @Test
    void aStopStringOfTheTemplateIsAnEndOfTurn() {
        JsonNode json = document("done<|stop|>more", ",\"stop_sequences\":[\"zzz\"]");

        assertThat(json.path("content").path(0).path("text").textValue()).isEqualTo("done");
        assertThat(json.path("stop_reason").textValue()).isEqualTo("end_turn");
        assertThat(json.path("stop_sequence").isNull()).isTrue();
    }

    @Test
    void anAnswerThatIsCutOffSaysSo() {
        int[] tokens = FakeTokenizer.answer("<call f>{\"a\":");
        tokens[tokens.length - 1] = '1';
        var script = new Script(tokens, 1, 0, new Outcome.Finished(FinishReason.LENGTH));

        JsonNode json = ask(ChatFixture.answering(script), TOOLS).json();

        assertThat(json.path("stop_reason").textValue()).isEqualTo("max_tokens");
        assertThat(json.path("content").path(0).path("input").toString()).isEqualTo("{}");
    }

    @Test
    void thoughtsThatAreNotToBeShownMakeAnEmptyBlock() {
        String more = ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024,\"display\":\"omitted\"}";

        assertThat(document("<think>secret</think>Yes", more).path("content").toString())
                .isEqualTo("[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"},{\"type\":\"text\",\"text\":\"Yes\"}]");
        assertThat(stream("<think>secret</think>Yes", more).all()).doesNotContain("secret");
    }

    @Test
    void aFailureAfterTheStreamHasBegunIsAnErrorEvent() {
        int[] tokens = FakeTokenizer.answer("abc");
        tokens[tokens.length - 1] = 'd';
        var failed = new Outcome.Failed(new AgentException(ErrorCode.NO_KV_SPACE, "no room: 17 cells"));
        RecordingSink sink = ask(ChatFixture.answering(new Script(tokens, 1, 0, failed)), ",\"stream\":true");

        assertThat(sink.isAborted()).isTrue();
        assertThat(sink.types().getLast()).isEqualTo("error");
        assertThat(sink.events().getLast().toString())
                .isEqualTo("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no room to go on\"},\"request_id\":\"r1\"}");
    }

    @Test
    void aRequiredToolThatIsNotCalledIsAFailure() {
        AgentException refused = ChatFixture.answering("no").refusal(Endpoint.MESSAGES, body(TOOLS + ",\"tool_choice\":{\"type\":\"any\"}"));

        assertThat(refused.code()).isEqualTo(ErrorCode.GENERATION_FAILED);
    }

    @Test
    void aStopSequenceMayComeBeforeTheRequiredTool() {
        JsonNode json = document("well, no", TOOLS + ",\"tool_choice\":{\"type\":\"any\"},\"stop_sequences\":[\",\"]");

        assertThat(json.path("stop_reason").textValue()).isEqualTo("stop_sequence");
        AgentException refused = ChatFixture.answering("well<|stop|>").refusal(Endpoint.MESSAGES,
                body(TOOLS + ",\"tool_choice\":{\"type\":\"any\"},\"stop_sequences\":[\",\"]"));
        assertThat(refused.code()).isEqualTo(ErrorCode.GENERATION_FAILED);
    }

    @Test
    void countedTokensAreThoseOfTheAnswersUsage() {
        for (String more : MessagesBodyTest.BODIES) {
            JsonNode usage = ask(ChatFixture.answering("<call f>{}</call>"), more).json().path("usage");
            JsonNode counted = ChatFixture.answering("x").ask(Endpoint.COUNT_TOKENS, body(more)).json();

            assertThat(counted.size()).isEqualTo(1);
            assertThat(counted.path("input_tokens").intValue()).as(more)
                    .isEqualTo(usage.path("input_tokens").intValue() + usage.path("cache_read_input_tokens").intValue()).isPositive();
        }
    }

    @Test
    void countingNeedsNoTokenLimit() {
        JsonNode counted = ChatFixture.answering("x").ask(Endpoint.COUNT_TOKENS, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}").json();

        assertThat(counted.path("input_tokens").intValue()).isPositive();
    }

    @Test
    void silenceBringsAPingOfTheApisOwn() {
        ChatFixture fixture = ChatFixture.answering(Script.of("abc").silentFor(50_000_000_000L));
        RecordingSink sink = ask(fixture, ",\"stream\":true,\"sse_ping_interval\":7");

        assertThat(sink.types()).startsWith("message_start", "ping").filteredOn("ping"::equals).hasSize(7);
        assertThat(sink.pings()).isZero();
    }
}
