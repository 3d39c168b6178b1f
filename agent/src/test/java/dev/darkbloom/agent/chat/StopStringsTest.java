package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.joined;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeTokenizer;
import dev.darkbloom.agent.testing.RandomAnswer;
import dev.darkbloom.agent.testing.RecordingSink;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stop strings end what a client sees as content, and nothing else; log-probabilities are those of content, and of nothing else. */
class StopStringsTest {
    private static final String TOOLS = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\"}}]";
    private static final String CALL = "<call add>{\"a\":\n1}</call>";

    private static JsonNode choice(String answer, String members) {
        return ChatFixture.answering(answer).chat(members).json().path("choices").path(0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"<", ">", "call", "call add", "add", "{", "a", "\\n", "}", "</call>"})
    void theMarksNameAndArgumentsOfACallAreNoContent(String stop) {
        JsonNode choice = choice(CALL, TOOLS + ",\"stop\":[\"" + stop + "\"]");

        assertThat(choice.path("message").path("tool_calls").path(0).path("function").toString())
                .isEqualTo("{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":\\n1}\"}");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("tool_calls");
        assertThat(choice(CALL, TOOLS + ",\"tool_choice\":\"required\",\"stop\":[\"" + stop + "\"]").path("message").path("tool_calls")).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\n", "<", "think", "m", "a"})
    void aThoughtIsNoContent(String stop) {
        JsonNode choice = choice("<think>a\nm</think>\n\nYes or no", "\"stop\":[\"" + stop + "\",\" no\"]");

        assertThat(choice.path("message").path("reasoning_content").textValue()).isEqualTo("a\nm");
        assertThat(choice.path("message").path("content").textValue()).isEqualTo("Yes or");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
    }

    @Test
    void whatComesBehindAStopStringIsNotTold() {
        JsonNode choice = choice("one two<call add>{}</call>three", TOOLS + ",\"stop\":\"wo\"");

        assertThat(choice.path("message").toString()).isEqualTo("{\"role\":\"assistant\",\"content\":\"one t\"}");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(choice.has("warning")).isFalse();
    }

    @Test
    void aStopStringDoesNotReachAcrossACall() {
        JsonNode choice = choice("on<call add>{}</call>e", TOOLS + ",\"stop\":\"one\"");

        assertThat(choice.path("message").path("content").textValue()).isEqualTo("one");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("tool_calls");
    }

    @Test
    void theAnswerCountsUpToTheStopStringHoweverManyTokensCameTogether() {
        String answer = "<think>hm</think>one two three";
        for (int perAwait = 1; perAwait <= answer.length(); perAwait++) {
            RecordingSink sink = ChatFixture.answering(Script.of(answer).perAwait(perAwait)).stream("\"stop\":\"two\"");

            assertThat(joined(sink, 0, "content")).isEqualTo("one ");
            assertThat(sink.usage().completionTokens()).isEqualTo("<think>hm</think>one two".length());
        }
    }

    @Test
    void aCallThatIsCutOffForItsLengthSaysSo() {
        int[] tokens = FakeTokenizer.answer("<call add>{\"a\":");
        tokens[tokens.length - 1] = '1';
        var script = new Script(tokens, 1, 0, new Outcome.Finished(FinishReason.LENGTH));

        JsonNode choice = ChatFixture.answering(script).chat(TOOLS + ",\"stop\":[\"a\",\"1\"]").json().path("choices").path(0);
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("length");
        assertThat(choice.path("message").path("tool_calls").path(0).path("function").path("arguments").textValue()).isEqualTo("{\"a\":1");

        JsonNode response = ChatFixture.answering(script).ask(Endpoint.RESPONSES,
                "{\"model\":\"demo\",\"input\":\"Hi\",\"store\":false,\"tools\":[{\"type\":\"function\",\"name\":\"add\",\"parameters\":{}}]}").json();
        assertThat(response.path("status").textValue()).isEqualTo("incomplete");
        assertThat(response.path("output").path(0).path("type").textValue()).isEqualTo("function_call");
        assertThat(response.path("output").path(0).path("status").textValue()).isEqualTo("incomplete");
    }

    @Test
    void messagesNameTheSequenceThatIsFoundInText() {
        String body = "{\"model\":\"demo\",\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"name\":\"add\","
                + "\"input_schema\":{}}],\"stop_sequences\":[\"STOP\",\"a\"]}";
        JsonNode stopped = ChatFixture.answering("<think>a STOP</think>yes STOP" + CALL).ask(Endpoint.MESSAGES, body).json();
        assertThat(stopped.path("stop_reason").textValue()).isEqualTo("stop_sequence");
        assertThat(stopped.path("stop_sequence").textValue()).isEqualTo("STOP");
        assertThat(stopped.path("content")).hasSize(2);
        assertThat(stopped.path("content").path(1).path("text").textValue()).isEqualTo("yes ");

        JsonNode called = ChatFixture.answering(CALL).ask(Endpoint.MESSAGES, body).json();
        assertThat(called.path("stop_reason").textValue()).isEqualTo("tool_use");
        assertThat(called.path("stop_sequence").isNull()).isTrue();
    }

    @Test
    void aRandomAnswerIsWholeUpToTheStopStringInItsContent() {
        var random = new Random(20_261_129);
        for (int round = 0; round < 200; round++) {
            var said = RandomAnswer.of(random, 20);
            String stop = random.nextBoolean() ? "STOP" : "S漢🚀T";
            boolean stops = random.nextBoolean();
            String content = said.content() + (stops ? stop + RandomAnswer.text(random, 5) : "");
            String answer = "<think>" + said.reasoning() + stop + "</think>" + content + "<call add>" + stop + said.arguments() + "</call>";

            boolean logprobs = random.nextBoolean();
            RecordingSink sink = ChatFixture.answering(Script.of(answer).perAwait(1 + random.nextInt(40)))
                    .stream(TOOLS + ",\"logprobs\":" + logprobs + ",\"stop\":[\"never\",\"" + stop + "\"]");
            if (logprobs) {
                var told = new StringBuilder();
                sink.events().forEach(event -> told.append(text(event.path("choices").path(0).path("logprobs").path("content"))));
                assertThat(told).as(answer).hasToString(said.content());
            }
            assertThat(joined(sink, 0, "reasoning_content")).as(answer).isEqualTo(said.reasoning() + stop);
            assertThat(joined(sink, 0, "content")).as(answer).isEqualTo(said.content());
            assertThat(sink.events().getLast().path("choices").path(0).path("finish_reason").textValue()).isEqualTo(stops ? "stop" : "tool_calls");
        }
    }

    @Test
    void logprobsAreThoseOfContent() {
        String answer = "<think>a y</think>\n\nya<b> y" + CALL + "ö!";
        for (String more : new String[] {"", ",\"stop\":[\"zzz\",\"<c\"]"}) {
            JsonNode tokens = choice(answer, TOOLS + ",\"logprobs\":true" + more).path("logprobs").path("content");
            assertThat(text(tokens)).isEqualTo("ya<b> yö!");
            assertThat(tokens).hasSize("ya<b> y".length() + 3);

            for (int perAwait = 1; perAwait < 60; perAwait += 7) {
                RecordingSink sink = ChatFixture.answering(Script.of(answer).perAwait(perAwait)).stream(TOOLS + ",\"logprobs\":true" + more);
                var streamed = new StringBuilder();
                for (JsonNode event : sink.events()) {
                    JsonNode delta = event.path("choices").path(0);
                    String of = text(delta.path("logprobs").path("content"));
                    assertThat(of).isEqualTo(delta.path("delta").path("content").asText(""));
                    streamed.append(of);
                }
                assertThat(streamed).hasToString("ya<b> yö!");
            }
        }
        assertThat(choice(CALL, TOOLS + ",\"logprobs\":true").path("logprobs").path("content")).isEmpty();
        assertThat(text(choice("<think>so</think>no STOP", "\"logprobs\":true,\"stop\":\"STOP\"").path("logprobs").path("content"))).isEqualTo("no ");
    }

    private static String text(JsonNode tokens) {
        var bytes = new ByteArrayOutputStream();
        tokens.forEach(token -> token.path("bytes").forEach(each -> bytes.write(each.intValue())));
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
