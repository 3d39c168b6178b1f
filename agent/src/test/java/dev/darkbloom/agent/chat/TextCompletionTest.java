package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.RecordingSink;
import org.junit.jupiter.api.Test;

class TextCompletionTest {
    @Test
    void aDocumentHasTheShapeOfTheOpenAiApi() {
        JsonNode json = ask(ChatFixture.answering(" world"), "\"prompt\":\"Hello\",\"max_tokens\":3").json();

        assertThat(json.path("id").textValue()).isEqualTo("cmpl-r1");
        assertThat(json.path("object").textValue()).isEqualTo("text_completion");
        assertThat(json.path("choices").toString()).isEqualTo("[{\"text\":\" wo\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"length\"}]");
        assertThat(json.path("usage").path("prompt_tokens").intValue()).isEqualTo(5);
        assertThat(json.path("usage").path("completion_tokens").intValue()).isEqualTo(3);
    }

    @Test
    void aStreamHasTextEventsAndUsageAtTheEnd() {
        RecordingSink sink = ask(ChatFixture.answering("<think>not parsed"), "\"prompt\":\"Hello\",\"stream\":true");

        assertThat(text(sink, 0)).isEqualTo("<think>not parsed");
        assertThat(sink.events().getFirst().path("choices").path(0).toString())
                .isEqualTo("{\"index\":0,\"text\":\"<\",\"logprobs\":null,\"finish_reason\":null}");
        assertThat(sink.events().getLast().path("choices").path(0).path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(sink.events().getLast().has("usage")).isTrue();
        assertThat(sink.hasEnded()).isTrue();
    }

    @Test
    void echoPutsThePromptFirst() {
        assertThat(ask(ChatFixture.answering("!"), "\"prompt\":\"Hé\",\"echo\":true").json().path("choices").path(0).path("text").textValue()).isEqualTo("Hé!");
        assertThat(text(ask(ChatFixture.answering("!"), "\"prompt\":[72,105],\"echo\":true,\"stream\":true"), 0)).isEqualTo("Hi!");
    }

    @Test
    void severalPromptsAndAnswersAreNumberedPromptByPrompt() {
        ChatFixture fixture = new ChatFixture("demo");
        fixture.pool.answers(request -> Script.of(request.promptTokens() + ":" + request.sampling().seed()));
        JsonNode json = ask(fixture, "\"prompt\":[\"a\",[98,99]],\"n\":2,\"seed\":5").json();

        assertThat(json.path("choices").findValuesAsText("text")).containsExactly("1:5", "1:6", "2:5", "2:6");
        assertThat(json.path("choices").findValuesAsText("index")).containsExactly("0", "1", "2", "3");
        assertThat(json.path("usage").path("prompt_tokens").intValue()).isEqualTo(3);
    }

    @Test
    void logprobsHaveTheFormOfTheCompletionsApi() {
        JsonNode logprobs = ask(ChatFixture.answering("aé"), "\"prompt\":\"x\",\"logprobs\":1").json().path("choices").path(0).path("logprobs");

        assertThat(logprobs.path("tokens").toString()).isEqualTo("[\"a\",\"\uFFFD\",\"\uFFFD\"]");
        assertThat(logprobs.path("token_logprobs").toString()).isEqualTo("[-0.5,-0.5,-0.5]");
        assertThat(logprobs.path("top_logprobs").path(0).toString()).isEqualTo("{\"a\":-1}");
        assertThat(logprobs.path("text_offset").toString()).isEqualTo("[0,1,2]");
    }

    @Test
    void grammarsAndSchemasAreCompiledForEachAnswer() {
        ChatFixture fixture = ChatFixture.answering("x");
        ask(fixture, "\"prompt\":\"x\",\"grammar\":\"root ::= \\\"a\\\"\",\"n\":2");
        ask(fixture, "\"prompt\":\"x\",\"json_schema\":{\"type\":\"object\"}");

        assertThat(fixture.pool.tokenizer().grammars()).containsExactly("root ::= \"a\"", "root ::= \"a\"", "{\"type\":\"object\"}");
        assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"grammar\":\"nonsense\"}").code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
    }

    @Test
    void promptsOfTheWrongFormAreRefused() {
        ChatFixture fixture = ChatFixture.answering("x");
        for (String prompt : new String[] {"\"\"", "[]", "{}", "5", "[1,\"a\"]", "[\"a\",1]", "[999]", "[-1]", "[1.5]", "[[]]", "[[999]]", "[true]",
            "[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]"}) {
            assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{\"prompt\":" + prompt + "}").param()).as(prompt).contains("prompt");
        }
        assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{}").param()).contains("prompt");
    }

    @Test
    void whatTheApiHasAndWeDoNotIsRefusedByName() {
        ChatFixture fixture = ChatFixture.answering("x");
        assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"suffix\":\"y\"}").param()).contains("suffix");
        assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"best_of\":3}").param()).contains("best_of");
        assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"echo\":true,\"logprobs\":1}").param()).contains("echo");
        assertThat(fixture.refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"logprobs\":21}").param()).contains("logprobs");
    }

    private static RecordingSink ask(ChatFixture fixture, String members) {
        return fixture.ask(Endpoint.COMPLETIONS, "{\"model\":\"demo\"," + members + "}");
    }

    private static String text(RecordingSink sink, int choice) {
        var text = new StringBuilder();
        sink.events().forEach(event -> event.path("choices").forEach(each -> {
            if (each.path("index").intValue() == choice) {
                text.append(each.path("text").textValue());
            }
        }));
        return text.toString();
    }
}
