package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.RecordingSink;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("model")
class DemoResponsesTest {
    private static final String WEATHER = "\"tools\":[{\"type\":\"function\",\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\","
            + "\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}]";

    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    private static JsonNode ask(String members) {
        return demo.ask(Endpoint.RESPONSES, "{\"model\":\"demo\",\"temperature\":0,\"max_output_tokens\":80," + members + "}").json();
    }

    private static JsonNode retrieve(String id) {
        var sink = new RecordingSink();
        demo.stored().retrieve(id, Map.of(), sink);
        return sink.json();
    }

    @Test
    void aConversationByReferenceIsTheConversationWhole() {
        JsonNode first = ask("\"input\":\"Hello\"");
        JsonNode second = ask("\"input\":\"Thanks\",\"previous_response_id\":" + first.path("id"));
        JsonNode whole = ask("\"input\":[{\"role\":\"user\",\"content\":\"Hello\"}," + first.path("output").path(0)
                + ",{\"role\":\"user\",\"content\":\"Thanks\"}]");

        assertThat(second.path("usage").path("input_tokens")).isEqualTo(whole.path("usage").path("input_tokens"));
        assertThat(second.path("output").path(0).path("content")).isEqualTo(whole.path("output").path(0).path("content"));
    }

    @Test
    void countedTokensAreThoseOfTheRequestItself() {
        JsonNode first = ask("\"input\":\"Hello\"");
        for (String members : List.of("\"input\":\"Hello\"", "\"input\":\"Hello\",\"instructions\":\"Be brief.\"," + WEATHER,
                "\"input\":\"Thanks\",\"previous_response_id\":" + first.path("id"))) {
            JsonNode counted = demo.ask(Endpoint.RESPONSES_INPUT_TOKENS, "{\"model\":\"demo\"," + members + "}").json();

            assertThat(counted.path("object").textValue()).isEqualTo("response.input_tokens");
            assertThat(counted.path("input_tokens")).isEqualTo(ask(members).path("usage").path("input_tokens"));
        }
    }

    @Test
    void aToolIsCalledAndItsResultRead() {
        JsonNode first = ask("\"input\":\"What is the weather in Paris?\",\"tool_choice\":\"required\"," + WEATHER);
        JsonNode call = first.path("output").path(0);
        assertThat(call.path("type").textValue()).isEqualTo("function_call");
        assertThat(call.path("name").textValue()).isEqualTo("get_weather");
        assertThat(call.path("call_id").textValue()).isNotEmpty();

        JsonNode second = ask("\"previous_response_id\":" + first.path("id") + ",\"input\":[{\"type\":\"function_call_output\",\"call_id\":"
                + call.path("call_id") + ",\"output\":\"sunny\"}]," + WEATHER);
        assertThat(second.path("usage").path("input_tokens").intValue()).isGreaterThan(first.path("usage").path("input_tokens").intValue());
        assertThat(second.path("output")).isNotEmpty();
    }

    @Test
    void whatTheModelThinksIsAnItemOfItsOwn() {
        JsonNode json = ask("\"input\":\"Hello\",\"reasoning\":{\"effort\":\"high\"}");

        assertThat(json.path("output").path(0).path("type").textValue()).isEqualTo("reasoning");
        assertThat(json.path("output").path(0).path("content").path(0).path("text").textValue()).isNotBlank();
        assertThat(json.path("output").path(1).path("type").textValue()).isEqualTo("message");
        assertThat(json.path("usage").path("output_tokens_details").path("reasoning_tokens").intValue()).isPositive();
    }

    @Test
    void aConversationThatIsTooLongIsCutOnlyWhereThatIsAllowed() {
        String input = "\"input\":[{\"role\":\"user\",\"content\":\"" + "hello ".repeat(20_000) + "\"},{\"role\":\"user\",\"content\":\"Hello\"}]";
        JsonNode cut = ask("\"truncation\":\"auto\"," + input);
        JsonNode plain = ask("\"input\":\"Hello\"");

        assertThat(cut.path("usage").path("input_tokens")).isEqualTo(plain.path("usage").path("input_tokens"));
        AgentException refused = catchThrowableOfType(AgentException.class, () -> ask(input));
        assertThat(refused.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
    }

    @Test
    void whatABackgroundRequestIsRefusedForItsClientHears() {
        String strict = "\"input\":\"Hello\",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"a\",\"strict\":true,"
                + "\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"uniqueItems\":true}}}";
        String tooLong = "\"input\":\"" + "hello ".repeat(20_000) + "\"";
        for (String how : List.of(",\"background\":true", ",\"background\":true,\"stream\":true")) {
            assertThat(catchThrowableOfType(AgentException.class, () -> ask(strict + how))).hasMessageContaining("uniqueItems");
            assertThat(catchThrowableOfType(AgentException.class, () -> ask(tooLong + how)).code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
        }
    }

    @Test
    void aFunctionWithoutParametersGetsNoArguments() {
        for (String parameters : List.of("", ",\"parameters\":null", ",\"parameters\":{\"type\":\"object\",\"properties\":{}}")) {
            JsonNode call = ask("\"input\":\"What time is it in Paris?\",\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\",\"name\":\"now\""
                    + parameters + "}]").path("output").path(0);

            assertThat(call.path("name").textValue()).isEqualTo("now");
            assertThat(call.path("arguments").textValue()).as(parameters).isEqualToIgnoringWhitespace("{}");
        }
    }

    @Test
    void whatRunsInTheBackgroundEndsByItself() {
        JsonNode queued = ask("\"input\":\"Hello\",\"background\":true");
        assertThat(queued.path("status").textValue()).isEqualTo("queued");
        String id = queued.path("id").textValue();
        Awaitility.await().atMost(Duration.ofMinutes(1)).until(() -> !retrieve(id).path("status").textValue().equals("in_progress"));

        assertThat(retrieve(id).path("status").textValue()).isEqualTo("completed");
        assertThat(retrieve(id).path("output")).isNotEmpty();
    }
}
