package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.RecordingSink;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The answers of {@code /v1/responses}. */
class ResponsesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String TOOLS = ",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":true}]";

    private static String body(String more) {
        return "{\"model\":\"demo\",\"input\":\"Hi\"" + more + "}";
    }

    private static RecordingSink ask(ChatFixture fixture, String more) {
        return fixture.ask(Endpoint.RESPONSES, body(more));
    }

    private static JsonNode document(String answer, String more) {
        return ask(ChatFixture.answering(answer), more).json();
    }

    private static JsonNode read(ChatFixture fixture, String id) {
        var sink = new RecordingSink();
        fixture.stored.read(id, sink);
        return sink.json();
    }

    private static JsonNode items(ChatFixture fixture, String id, boolean ascending, String after, int limit) {
        var sink = new RecordingSink();
        fixture.stored.listItems(id, ascending, after, limit, sink);
        return sink.json();
    }

    private static JsonNode messages(ChatFixture fixture) throws JsonProcessingException {
        return JSON.readTree(fixture.pool.template().lastApplied().messages());
    }

    @Test
    void aDocumentHasTheShapeOfTheResponsesApi() {
        JsonNode json = document("Hello 🚀 \"you\"", ",\"instructions\":\"be brief\",\"metadata\":{\"a\":\"b\"},\"temperature\":0.5");

        assertThat(json.path("id").textValue()).isEqualTo("resp_r1");
        assertThat(json.path("object").textValue()).isEqualTo("response");
        assertThat(json.path("created_at").longValue()).isEqualTo(1_790_000_000L);
        assertThat(json.path("status").textValue()).isEqualTo("completed");
        assertThat(json.path("error").isNull()).isTrue();
        assertThat(json.path("incomplete_details").isNull()).isTrue();
        assertThat(json.path("instructions").textValue()).isEqualTo("be brief");
        assertThat(json.path("metadata").toString()).isEqualTo("{\"a\":\"b\"}");
        assertThat(json.path("temperature").doubleValue()).isEqualTo(0.5);
        assertThat(json.path("tool_choice").textValue()).isEqualTo("auto");
        assertThat(json.path("tools").toString()).isEqualTo("[]");
        assertThat(json.path("parallel_tool_calls").booleanValue()).isTrue();
        assertThat(json.path("previous_response_id").isNull()).isTrue();
        assertThat(json.path("output").toString()).isEqualTo("[{\"id\":\"msg_r1_0\",\"status\":\"completed\",\"type\":\"message\",\"role\":\"assistant\","
                + "\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"Hello 🚀 \\\"you\\\"\"}]}]");
        assertThat(json.path("usage").path("input_tokens_details").path("cached_tokens").intValue()).isEqualTo(3);
        assertThat(json.path("usage").path("total_tokens").intValue())
                .isEqualTo(json.path("usage").path("input_tokens").intValue() + json.path("usage").path("output_tokens").intValue());
    }

    @Test
    void itemsStandInTheOrderInWhichTheModelWroteThem() {
        JsonNode output = document("<think>hm</think>\n\nLet me see.<call f>{\"a\": [1]}</call><call g>{}</call>", TOOLS).path("output");

        assertThat(output).extracting(item -> item.path("type").textValue())
                .containsExactly("reasoning", "message", "function_call", "function_call");
        assertThat(output.get(0).path("content").toString()).isEqualTo("[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]");
        assertThat(output.get(1).path("content").get(0).path("text").textValue()).isEqualTo("Let me see.");
        assertThat(output.get(2).path("call_id").textValue()).isEqualTo("call_0");
        assertThat(output.get(2).path("name").textValue()).isEqualTo("f");
        assertThat(output.get(2).path("arguments").textValue()).isEqualTo("{\"a\": [1]}");
        assertThat(output.get(3).path("arguments").textValue()).isEqualTo("{}");
    }

    @Test
    void aStreamHasEveryEventInItsPlaceAndCounts() {
        RecordingSink sink = ask(ChatFixture.answering("<think>hm</think>Yes<call f>{\"a\":1}</call>"), ",\"stream\":true" + TOOLS);

        List<String> types = new ArrayList<>();
        for (String type : sink.types()) { // runs of deltas count once
            if (!type.endsWith(".delta") || !types.getLast().equals(type)) {
                types.add(type);
            }
        }
        assertThat(types).containsExactly("response.created", "response.in_progress",
                "response.output_item.added", "response.content_part.added", "response.reasoning_text.delta", "response.reasoning_text.done",
                "response.content_part.done", "response.output_item.done",
                "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done",
                "response.content_part.done", "response.output_item.done",
                "response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.done",
                "response.output_item.done",
                "response.completed");
        List<JsonNode> events = sink.events();
        for (int i = 0; i < events.size(); i++) {
            assertThat(events.get(i).path("sequence_number").intValue()).isEqualTo(i);
            assertThat(events.get(i).path("type").textValue()).isEqualTo(sink.types().get(i));
        }
        JsonNode last = events.getLast().path("response");
        assertThat(last.path("output")).hasSize(3);
        assertThat(last.path("output").get(1).path("content").get(0).path("text").textValue()).isEqualTo("Yes");
        assertThat(last.path("output").get(2).path("arguments").textValue()).isEqualTo("{\"a\":1}");
        assertThat(last.path("usage").path("output_tokens").intValue()).isPositive();
        assertThat(sink.hasEndedTyped()).isTrue();
    }

    @Test
    void deltasMakeTheTextOfTheirItem() {
        RecordingSink sink = ask(ChatFixture.answering("One two \"three\" vier"), ",\"stream\":true");

        var text = new StringBuilder();
        String done = "";
        for (JsonNode event : sink.events()) {
            switch (event.path("type").textValue()) {
                case "response.output_text.delta" -> text.append(event.path("delta").textValue());
                case "response.output_text.done" -> done = event.path("text").textValue();
                default -> { }
            }
        }
        assertThat(text.toString()).isEqualTo("One two \"three\" vier").isEqualTo(done);
    }

    @Test
    void anAnswerThatIsCutOffIsIncomplete() {
        ChatFixture fixture = ChatFixture.answering(new Script("abc".chars().toArray(), 1, 0, new Outcome.Finished(FinishReason.LENGTH)));

        JsonNode json = ask(fixture, ",\"max_output_tokens\":3").json();

        assertThat(json.path("status").textValue()).isEqualTo("incomplete");
        assertThat(json.path("incomplete_details").path("reason").textValue()).isEqualTo("max_output_tokens");
        assertThat(json.path("max_output_tokens").intValue()).isEqualTo(3);
        assertThat(json.path("output").get(0).path("status").textValue()).isEqualTo("incomplete");
    }

    @Test
    void aFailureInAStreamIsAResponseThatFailed() {
        ChatFixture fixture = ChatFixture.answering(new Script("abc".chars().toArray(), 1, 0,
                new Outcome.Failed(new AgentException(ErrorCode.DECODE_FATAL, "decoding failed with code -3"))));

        RecordingSink sink = ask(fixture, ",\"stream\":true");

        JsonNode last = sink.events().getLast();
        assertThat(last.path("type").textValue()).isEqualTo("response.failed");
        assertThat(last.path("response").path("status").textValue()).isEqualTo("failed");
        assertThat(last.path("response").path("error").path("code").textValue()).isEqualTo("server_error");
        assertThat(last.path("response").path("error").path("message").textValue()).isEqualTo("generation failed");
        assertThat(sink.isAborted()).isTrue();
        assertThat(read(fixture, "resp_r1").path("status").textValue()).isEqualTo("failed");
    }

    @Test
    void whatWasAnsweredCanBeReadListedAndDeleted() {
        ChatFixture fixture = ChatFixture.answering("Hello");
        JsonNode answered = ask(fixture, "").json();

        assertThat(read(fixture, "resp_r1")).isEqualTo(answered);
        JsonNode list = items(fixture, "resp_r1", false, "", 20);
        assertThat(list.path("data").toString()).isEqualTo("[{\"id\":\"msg_r1_in0\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"user\","
                + "\"content\":[{\"type\":\"input_text\",\"text\":\"Hi\"}]}]");
        assertThat(list.path("first_id").textValue()).isEqualTo("msg_r1_in0");
        assertThat(list.path("has_more").booleanValue()).isFalse();

        var deleted = new RecordingSink();
        fixture.stored.delete("resp_r1", deleted);
        assertThat(deleted.json().path("deleted").booleanValue()).isTrue();
        assertThat(catchCode(() -> read(fixture, "resp_r1"))).isEqualTo(ErrorCode.NOT_FOUND);
        assertThat(catchCode(() -> fixture.stored.cancel("resp_r1", new RecordingSink()))).isEqualTo(ErrorCode.NOT_FOUND);
    }

    @Test
    void whatShallNotBeKeptIsNot() {
        ChatFixture fixture = ChatFixture.answering("Hello");

        assertThat(ask(fixture, ",\"store\":false").json().path("store").booleanValue()).isFalse();
        assertThat(fixture.stored.size()).isZero();
    }

    @Test
    void aListOfItemsHasPages() {
        ChatFixture fixture = ChatFixture.answering("Hello");
        fixture.ask(Endpoint.RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"},"
                + "{\"id\":\"mine\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"c\"}]}]}");

        JsonNode first = items(fixture, "resp_r1", true, "", 2);
        assertThat(first.path("data")).extracting(item -> item.path("id").textValue()).containsExactly("msg_r1_in0", "msg_r1_in1");
        assertThat(first.path("has_more").booleanValue()).isTrue();
        JsonNode second = items(fixture, "resp_r1", true, "msg_r1_in1", 2);
        assertThat(second.path("data")).extracting(item -> item.path("id").textValue()).containsExactly("mine");
        assertThat(second.path("has_more").booleanValue()).isFalse();
        assertThat(items(fixture, "resp_r1", false, "", 20).path("data")).extracting(item -> item.path("id").textValue())
                .containsExactly("mine", "msg_r1_in1", "msg_r1_in0");
        assertThat(items(fixture, "resp_r1", true, "mine", 20).path("first_id").isNull()).isTrue();
    }

    @Test
    void aResponseGoesOnFromAnEarlierOne() throws JsonProcessingException {
        ChatFixture fixture = ChatFixture.answering("<think>hm</think>I call.<call f>{\"a\":1}</call>");
        ask(fixture, TOOLS);

        fixture.ask(Endpoint.RESPONSES, "{\"previous_response_id\":\"resp_r1\",\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"call_0\","
                + "\"output\":\"42\"}]}");

        JsonNode messages = messages(fixture);
        assertThat(messages).extracting(message -> message.path("role").textValue()).containsExactly("user", "assistant", "tool");
        assertThat(messages.get(1).path("content").textValue()).isEqualTo("I call.");
        assertThat(messages.get(1).path("reasoning_content").textValue()).isEqualTo("hm");
        assertThat(messages.get(1).path("tool_calls").get(0).path("function").path("arguments").textValue()).isEqualTo("{\"a\":1}");
        assertThat(messages.get(2).path("tool_call_id").textValue()).isEqualTo("call_0");
    }

    @Test
    void itemsOfOneAnswerBecomeOneMessage() throws JsonProcessingException {
        ChatFixture fixture = ChatFixture.answering("ok");
        fixture.ask(Endpoint.RESPONSES, "{\"instructions\":\"sys\",\"input\":[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"user\",\"content\":\"u\"},"
                + "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\",\"text\":\"t1\"}]},"
                + "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"x\",\"annotations\":[]}]},"
                + "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},"
                + "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"{}\"},"
                + "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":[{\"type\":\"input_text\",\"text\":\"r1\"}]},"
                + "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":\"r2\"}]}");

        JsonNode messages = messages(fixture);
        assertThat(messages).extracting(message -> message.path("role").textValue())
                .containsExactly("system", "developer", "user", "assistant", "tool", "tool");
        assertThat(messages.get(3).toString()).isEqualTo("{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"reasoning_content\":\"t1\","
                + "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
                + "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "{}|input|INVALID_REQUEST",
        "{\"input\":[]}|input|INVALID_REQUEST",
        "{\"input\":5}|input|INVALID_REQUEST",
        "{\"input\":[{\"role\":\"robot\",\"content\":\"a\"}]}|input|INVALID_REQUEST",
        "{\"input\":[{\"type\":\"item_reference\",\"id\":\"x\"}]}|input|UNSUPPORTED_PARAMETER",
        "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"x\"}]}]}|input|UNSUPPORTED_MEDIA",
        "{\"input\":[{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"}]}|input|INVALID_REQUEST",
        "{\"input\":\"a\",\"tools\":[{\"type\":\"web_search\"}]}|tools|UNSUPPORTED_PARAMETER",
        "{\"input\":\"a\",\"tools\":[{\"type\":\"function\"}]}|tools|INVALID_REQUEST",
        "{\"input\":\"a\",\"tool_choice\":{\"type\":\"file_search\"}}|tool_choice|UNSUPPORTED_PARAMETER",
        "{\"input\":\"a\",\"max_output_tokens\":0}|max_output_tokens|INVALID_REQUEST",
        "{\"input\":\"a\",\"text\":{\"format\":{\"type\":\"xml\"}}}|text|INVALID_REQUEST",
        "{\"input\":\"a\",\"background\":true}|background|UNSUPPORTED_PARAMETER",
        "{\"input\":\"a\",\"conversation\":\"c\"}|conversation|UNSUPPORTED_PARAMETER",
        "{\"input\":\"a\",\"include\":[\"message.output_text.logprobs\"]}|include|UNSUPPORTED_PARAMETER",
        "{\"input\":\"a\",\"previous_response_id\":\"resp_x\"}|previous_response_id|PREVIOUS_RESPONSE_NOT_FOUND"})
    void whatCannotBeDoneIsRefusedByName(String body, String param, ErrorCode code) {
        AgentException refusal = ChatFixture.answering("x").refusal(Endpoint.RESPONSES, body);

        assertThat(refusal.code()).isEqualTo(code);
        assertThat(refusal.param()).contains(param);
    }

    private interface Asked {
        void run() throws Exception;
    }

    private static ErrorCode catchCode(Asked asked) {
        return org.assertj.core.api.Assertions.catchThrowableOfType(AgentException.class, asked::run).code();
    }
}
