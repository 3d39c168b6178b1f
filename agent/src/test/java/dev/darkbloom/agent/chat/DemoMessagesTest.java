package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The Messages API over the demo model and the real engine. */
@Tag("model")
class DemoMessagesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String WEATHER = "{\"name\":\"get_weather\",\"description\":\"Get the weather\",\"input_schema\":{\"type\":\"object\","
            + "\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}";

    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    private static String body(String more) {
        return "{\"model\":\"demo\",\"max_tokens\":60,\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]" + more + "}";
    }

    private static JsonNode message(String more) {
        return demo.ask(Endpoint.MESSAGES, body(more)).json();
    }

    private static String text(JsonNode message) {
        var text = new StringBuilder();
        message.path("content").forEach(block -> text.append(block.path("text").asText("")));
        return text.toString();
    }

    @Test
    void theAnswerIsThatOfTheChatApi() {
        JsonNode chat = demo.ask(Endpoint.CHAT_COMPLETIONS, body("")).json();
        JsonNode message = message("");

        assertThat(text(message)).isEqualTo(chat.path("choices").path(0).path("message").path("content").textValue()).isNotEmpty();
        assertThat(message.path("stop_reason").textValue()).isEqualTo("end_turn");
        assertThat(message.path("usage").path("output_tokens")).isEqualTo(chat.path("usage").path("completion_tokens"));
    }

    @Test
    void aToolIsCalledAndItsResultRead() {
        JsonNode message = message(",\"tools\":[" + WEATHER + "],\"tool_choice\":{\"type\":\"any\"},"
                + "\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"}]");

        assertThat(message.path("stop_reason").textValue()).isEqualTo("tool_use");
        JsonNode use = message.path("content").path(message.path("content").size() - 1);
        assertThat(use.path("type").textValue()).isEqualTo("tool_use");
        assertThat(use.path("name").textValue()).isEqualTo("get_weather");
        assertThat(use.path("id").textValue()).isNotEmpty();
        assertThat(use.path("input").path("city").isTextual()).isTrue();

        JsonNode second = message(",\"tools\":[" + WEATHER + "],\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"},"
                + "{\"role\":\"assistant\",\"content\":" + message.path("content") + "},"
                + "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":" + use.path("id") + ",\"content\":\"sunny\"}]}]");
        assertThat(second.path("stop_reason").textValue()).isIn("end_turn", "max_tokens", "tool_use");
        assertThat(second.path("content")).isNotEmpty();
    }

    @Test
    void thinkingComesAsABlockOfItsOwn() {
        JsonNode message = message(",\"max_tokens\":200,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}");

        assertThat(message.path("content").path(0).path("type").textValue()).isEqualTo("thinking");
        assertThat(message.path("content").path(0).path("thinking").textValue()).isNotBlank();
    }

    @Test
    void theEndIsToldExactly() {
        assertThat(message(",\"max_tokens\":2").path("stop_reason").textValue()).isEqualTo("max_tokens");

        String whole = text(message(""));
        String stop = whole.substring(4, 7);
        JsonNode stopped = message(",\"stop_sequences\":[\"@@@\"," + JSON.valueToTree(stop) + "]");
        assertThat(stopped.path("stop_reason").textValue()).isEqualTo("stop_sequence");
        assertThat(stopped.path("stop_sequence").textValue()).isEqualTo(stop);
        assertThat(text(stopped)).isEqualTo(whole.substring(0, whole.indexOf(stop)));
    }

    @Test
    void aPrefillIsContinuedAndNotRepeated() {
        String whole = text(message(""));
        String begun = whole.substring(0, whole.indexOf(' '));
        JsonNode rest = message(",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"},{\"role\":\"assistant\",\"content\":" + JSON.valueToTree(begun) + "}]");

        assertThat(begun + text(rest)).isEqualTo(whole);
    }

    @Test
    void aStreamSaysWhatTheDocumentSays() {
        for (String more : MessagesBodyTest.BODIES) {
            JsonNode whole = message(more);
            var text = new StringBuilder();
            JsonNode stop = null;
            for (JsonNode event : demo.ask(Endpoint.MESSAGES, body(more + ",\"stream\":true")).events()) {
                text.append(event.path("delta").path("text").asText(""));
                stop = event.path("type").textValue().equals("message_delta") ? event.path("delta").path("stop_reason") : stop;
            }
            assertThat(text.toString()).as(more).isEqualTo(text(whole));
            assertThat(stop).as(more).isEqualTo(whole.path("stop_reason"));
        }
    }

    @Test
    void countedTokensAreThoseOfTheAnswersUsage() {
        List<Integer> counts = new ArrayList<>();
        for (String more : MessagesBodyTest.BODIES) {
            JsonNode usage = message(more).path("usage");
            int counted = demo.ask(Endpoint.COUNT_TOKENS, body(more)).json().path("input_tokens").intValue();

            assertThat(counted).as(more).isEqualTo(usage.path("input_tokens").intValue() + usage.path("cache_read_input_tokens").intValue());
            counts.add(counted);
        }
        assertThat(counts.stream().distinct().count()).as("bodies that make prompts of their own").isGreaterThan(6);
    }

    @Test
    void outputFollowsASchema() throws IOException {
        JsonNode message = message(",\"max_tokens\":120,\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\","
                + "\"properties\":{\"ok\":{\"type\":\"boolean\"}},\"required\":[\"ok\"],\"additionalProperties\":false}}}");

        assertThat(JSON.readTree(text(message)).path("ok").isBoolean()).isTrue();
    }

    @Test
    void anUnknownModelIsRefused() {
        AgentException refused = catchThrowableOfType(AgentException.class,
                () -> demo.ask(Endpoint.MESSAGES, body("").replace("\"demo\"", "\"other\"")));

        assertThat(refused.code().messagesType()).isEqualTo("not_found_error");
    }
}
