package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.content.Content;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tools, a response format and the beginning of an answer, several at once, on the demo model. */
@Tag("model")
class CallOrSchemaTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String TOOLS = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"Get the weather for a city\","
            + "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"maxLength\":20}},\"required\":[\"city\"]}}}]";
    private static final String SCHEMA = ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"strict\":true,\"schema\":{\"type\":\"object\","
            + "\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":3,\"maximum\":7}},\"required\":[\"n\"],\"additionalProperties\":false}}}";

    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    @AfterEach
    void everyContentIsClosed() {
        Awaitility.await().atMost(Duration.ofSeconds(10)).until(() -> demo.status().busySlots() == 0 && demo.status().waiting() == 0);
        assertThat(Content.openCount()).isZero();
        assertThat(demo.status().failed()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"I need the weather in Zurich.", "Hello", "Who are you?", "Tell me a story."})
    void besideASchemaToolsCanBeCalledAndNothingElseCanBeSaid(String question) throws Exception {
        for (String thinking : new String[] {"", ",\"reasoning_effort\":\"low\""}) {
            for (int seed = 0; seed < 3; seed++) {
                JsonNode choice = answer(question, TOOLS + SCHEMA + thinking + ",\"temperature\":1,\"seed\":" + seed);

                if (choice.path("finish_reason").textValue().equals("tool_calls")) {
                    assertThat(arguments(choice).has("city")).as(choice.toString()).isTrue();
                } else if (choice.path("finish_reason").textValue().equals("stop")) {
                    assertThat(JSON.readTree(choice.path("message").path("content").textValue()).path("n").intValue()).as(choice.toString()).isBetween(3, 7);
                }
                assertThat(choice.path("warning").isMissingNode()).as(choice.toString()).isTrue();
            }
        }
    }

    @Test
    void aQuestionForAToolIsACallBesideASchemaToo() throws Exception {
        JsonNode choice = answer("I need the weather in Zurich.", TOOLS + SCHEMA + ",\"temperature\":0");

        assertThat(choice.path("finish_reason").textValue()).as(choice.toString()).isEqualTo("tool_calls");
        assertThat(arguments(choice).path("city").textValue()).isEqualTo("Zurich");
    }

    @Test
    void whereNoToolMayBeCalledNoneIsWritten() {
        JsonNode choice = answer("I need the weather in Zurich.", TOOLS + ",\"tool_choice\":\"none\",\"temperature\":0");

        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(choice.path("message").has("tool_calls")).isFalse();
        assertThat(choice.path("message").path("content").textValue()).isNotBlank().doesNotContain("tool_call").doesNotContain("get_weather");
    }

    @Test
    void aRequiredCallFollowsWhatWasBegun() throws Exception {
        JsonNode choice = go("[{\"role\":\"user\",\"content\":\"I need the weather in Zurich.\"},{\"role\":\"assistant\",\"content\":\"Let me look.\"}]",
                TOOLS + ",\"tool_choice\":\"required\",\"temperature\":0");

        assertThat(choice.path("finish_reason").textValue()).as(choice.toString()).isEqualTo("tool_calls");
        assertThat(arguments(choice).has("city")).isTrue();
        assertThat(choice.path("message").path("content").asText("")).isBlank();
    }

    @Test
    void jsonThatWasBegunIsEnded() throws Exception {
        for (String tools : new String[] {"", TOOLS}) {
            JsonNode choice = go("[{\"role\":\"user\",\"content\":\"A number, please.\"},{\"role\":\"assistant\",\"content\":\"{\\\"n\\\":\"}]",
                    tools + SCHEMA + ",\"temperature\":0");

            assertThat(choice.path("finish_reason").textValue()).as(choice.toString()).isEqualTo("stop");
            assertThat(JSON.readTree("{\"n\":" + choice.path("message").path("content").textValue()).path("n").intValue()).isBetween(3, 7);
        }
    }

    private static JsonNode arguments(JsonNode choice) throws Exception {
        return JSON.readTree(choice.path("message").path("tool_calls").path(0).path("function").path("arguments").textValue());
    }

    private static JsonNode answer(String question, String members) {
        return go("[{\"role\":\"user\",\"content\":\"" + question + "\"}]", members);
    }

    private static JsonNode go(String messages, String members) {
        return demo.ask(Endpoint.CHAT_COMPLETIONS, "{\"max_tokens\":200,\"messages\":" + messages + members + "}").json().path("choices").path(0);
    }
}
