package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.RecordingSink;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client may ask for beside a plain answer, on the demo model and the real engine. */
@Tag("model")
class DemoFeaturesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String HELLO = "\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";
    private static final String ANSWER = "Hello! I am bloom-demo, a tiny demo model. How can I help you?";
    private static final String TOOLS = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"Get the weather for a city\","
            + "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}},"
            + "{\"type\":\"function\",\"function\":{\"name\":\"add\",\"description\":\"Adds a and b\",\"parameters\":{\"type\":\"object\","
            + "\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"}},\"required\":[\"a\",\"b\"]}}}]";

    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    @AfterEach
    void everySlotIsFreeAndEveryContentClosed() {
        Awaitility.await().atMost(Duration.ofSeconds(10)).until(() -> demo.status().busySlots() == 0 && demo.status().waiting() == 0);
        assertThat(Content.openCount()).isZero();
        assertThat(demo.status().failed()).isZero();
    }

    @Test
    void aStreamSaysTheSameAsADocumentPieceByPiece() {
        RecordingSink stream = chat(HELLO + ",\"stream\":true");

        assertThat(ChatFixture.joined(stream, 0, "content")).isEqualTo(ANSWER);
        assertThat(stream.events().size()).isGreaterThan(3);
        assertThat(content(chat(HELLO))).isEqualTo(ANSWER);
    }

    @Test
    void usageCountsAgreeWithTheTokenizer() {
        JsonNode usage = chat(HELLO).json().path("usage");
        String prompt = demo.ask(Endpoint.APPLY_TEMPLATE, "{" + HELLO + "}").json().path("prompt").textValue();
        int promptTokens = tokens(prompt);

        assertThat(usage.path("prompt_tokens").intValue()).isEqualTo(promptTokens);
        assertThat(usage.path("completion_tokens").intValue()).isEqualTo(tokens(ANSWER));
        assertThat(chat(HELLO).json().path("usage").path("prompt_tokens_details").path("cached_tokens").intValue()).isPositive();
    }

    @Test
    void tokensAndTextAreEachOthersInverse() {
        String text = "Größe 漢字 🚀 and <|im_end|> too";
        JsonNode tokens = demo.ask(Endpoint.TOKENIZE, "{\"content\":" + quoted(text) + "}").json().path("tokens");

        assertThat(demo.ask(Endpoint.DETOKENIZE, "{\"tokens\":" + tokens + "}").json().path("content").textValue()).isEqualTo(text);
    }

    @Test
    void thinkingIsToldApartFromTheAnswer() {
        JsonNode message = chat(HELLO + ",\"reasoning_effort\":\"low\"").json().path("choices").path(0).path("message");

        assertThat(message.path("reasoning_content").textValue()).isNotBlank().doesNotContain("think>");
        assertThat(message.path("content").textValue()).isNotBlank().doesNotContain("think>").doesNotStartWith("\n");
        RecordingSink stream = chat(HELLO + ",\"reasoning_effort\":\"low\",\"stream\":true");
        assertThat(ChatFixture.joined(stream, 0, "reasoning_content")).isEqualTo(message.path("reasoning_content").textValue());
        assertThat(ChatFixture.joined(stream, 0, "content")).isEqualTo(message.path("content").textValue());
        assertThat(stream.usage().reasoningTokens()).isPositive().isLessThan(stream.usage().completionTokens());
    }

    @Test
    void aStopStringAcrossTokensEndsTheAnswer() {
        assertThat(content(chat(HELLO + ",\"stop\":\"tiny demo\""))).isEqualTo("Hello! I am bloom-demo, a ");
        assertThat(ChatFixture.joined(chat(HELLO + ",\"stream\":true,\"stop\":[\"nope\",\"bloom-demo, a t\"]"), 0, "content")).isEqualTo("Hello! I am ");
    }

    @Test
    void aThoughtHoldsNoCallAndNoEnd() {
        String wild = "\"messages\":[{\"role\":\"user\",\"content\":\"I need the weather in Zurich.\"}],\"temperature\":1.6,\"top_k\":0,\"top_p\":1,\"min_p\":0,"
                + "\"max_tokens\":120,\"reasoning_effort\":\"high\"," + TOOLS;
        for (int seed : new int[] {0, 1, 2, 3, 4, 5, 6, 7, 23, 98}) {
            for (String choice : new String[] {"required", "auto"}) {
                JsonNode answer = chat(wild + ",\"tool_choice\":\"" + choice + "\",\"seed\":" + seed).json().path("choices").path(0);
                JsonNode message = answer.path("message");
                assertThat(answer.path("finish_reason").textValue()).as("%s %d %s", choice, seed, answer).isIn("tool_calls", "length", choice.equals("auto") ? "stop" : "-");
                assertThat(message.path("reasoning_content").asText("")).doesNotContain("<tool_call>\n{");
                if (answer.path("finish_reason").textValue().equals("stop")) {
                    assertThat(message.path("content").textValue()).isNotEmpty();
                }
            }
        }
    }

    @Test
    void aHistoryMayHoldCallsThatWereCutOffOrHaveNoArguments() {
        String history = "{\"messages\":[{\"role\":\"user\",\"content\":\"Weather?\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
                + "\"function\":{\"name\":\"get_weather\",\"arguments\":\"%s\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"?\"}]," + TOOLS + "}";
        String none = demo.ask(Endpoint.APPLY_TEMPLATE, history.formatted("{}")).json().path("prompt").textValue();

        assertThat(demo.ask(Endpoint.APPLY_TEMPLATE, history.formatted("")).json().path("prompt").textValue()).isEqualTo(none);
        assertThat(demo.ask(Endpoint.APPLY_TEMPLATE, history.formatted("{\\\"city\\\": \\\"Zur")).json().path("prompt").textValue()).contains("Zur");
    }

    @Test
    void stopStringsAndLogprobsAreOfContentOnly() {
        JsonNode thought = chat(HELLO + ",\"reasoning_effort\":\"low\"").json().path("choices").path(0).path("message");
        for (String stop : new String[] {"\\n", "<", "think", thought.path("reasoning_content").textValue().substring(0, 4)}) {
            JsonNode choice = chat(HELLO + ",\"reasoning_effort\":\"low\",\"logprobs\":true,\"stop\":\"" + stop + "\"").json().path("choices").path(0);
            assertThat(choice.path("message").path("reasoning_content")).as(stop).isEqualTo(thought.path("reasoning_content"));
            assertThat(choice.path("message").path("content").textValue()).isNotEmpty();
            assertThat(thought.path("content").textValue()).startsWith(choice.path("message").path("content").textValue());
            var tokens = new StringBuilder();
            choice.path("logprobs").path("content").forEach(token -> tokens.append(token.path("token").textValue()));
            assertThat(tokens.toString().strip()).startsWith(choice.path("message").path("content").textValue().strip());
        }
        String weather = "\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Zurich?\"}]," + TOOLS;
        for (String stop : new String[] {"\\n", "name", "<", "\\\"", "Zurich"}) {
            JsonNode choice = chat(weather + ",\"logprobs\":true,\"stop\":\"" + stop + "\"").json().path("choices").path(0);
            assertThat(choice.path("finish_reason").textValue()).as(stop).isEqualTo("tool_calls");
            assertThat(choice.path("message").path("tool_calls").path(0).path("function").path("arguments").textValue()).isEqualTo("{\"city\": \"Zurich\"}");
            assertThat(choice.path("logprobs").path("content")).isEmpty();
        }
    }

    @Test
    void severalAnswersAtTemperatureZeroAreTheSame() {
        RecordingSink stream = chat(HELLO + ",\"n\":3,\"stream\":true");

        for (int i = 0; i < 3; i++) {
            assertThat(ChatFixture.joined(stream, i, "content")).isEqualTo(ANSWER);
        }
    }

    @Test
    void aSeedMakesSamplingRepeatable() {
        String request = "\"temperature\":1.5,\"top_k\":0,\"top_p\":1,\"min_p\":0,\"max_tokens\":20,\"seed\":%d,\"messages\":[{\"role\":\"user\",\"content\":\"zzz\"}]";
        String first = content(chat(request.formatted(1)));

        assertThat(content(chat(request.formatted(1)))).isEqualTo(first);
        assertThat(content(chat(request.formatted(2)))).isNotEqualTo(first);
    }

    @Test
    void logprobsCoverTheAnswer() {
        JsonNode entries = chat(HELLO + ",\"logprobs\":true,\"top_logprobs\":3").json().path("choices").path(0).path("logprobs").path("content");

        var text = new StringBuilder();
        entries.forEach(entry -> text.append(entry.path("token").textValue()));
        assertThat(text).hasToString(ANSWER);
        assertThat(entries).allSatisfy(entry -> {
            assertThat(entry.path("logprob").doubleValue()).isLessThanOrEqualTo(0);
            assertThat(entry.path("top_logprobs")).hasSize(3);
            assertThat(entry.path("top_logprobs").path(0).path("token")).isEqualTo(entry.path("token"));
        });
    }

    @Test
    void grammarsAndSchemasHoldTheAnswer() throws Exception {
        assertThat(content(chat(HELLO + ",\"grammar\":\"root ::= \\\"yes\\\" | \\\"no\\\"\""))).isIn("yes", "no");
        JsonNode object = JSON.readTree(content(chat(HELLO + ",\"max_tokens\":200,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":"
                + "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":3,\"maximum\":7}},\"required\":[\"n\"],\"additionalProperties\":false}}}")));
        assertThat(object.path("n").intValue()).isBetween(3, 7);
        String text = demo
                .ask(Endpoint.COMPLETIONS, "{\"prompt\":\"Hello\",\"temperature\":0,\"json_schema\":{\"enum\":[\"red\",\"blue\"]}}").json()
                .path("choices").path(0).path("text").textValue();
        assertThat(text.strip()).isIn("\"red\"", "\"blue\"");
        assertThat(content(chat("\"max_tokens\":200,\"temperature\":0,\"response_format\":{\"type\":\"json_object\"},\"messages\":[{\"role\":\"user\",\"content\":"
                + "\"Who are you, as JSON?\"}]"))).startsWith("{");
    }

    @ParameterizedTest
    @ValueSource(strings = {"(gold", "gold)", "[gold", "gold{2,1}", "(?=gold)"})
    void aPatternThatCannotBeEnforcedIsNamedWhereStrictAndOtherwiseIgnored(String pattern) {
        String schema = HELLO + ",\"model\":\"demo\",\"max_tokens\":60,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"strict\":%s,"
                + "\"schema\":{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"string\",\"maxLength\":9,\"pattern\":\"" + pattern
                + "\"}},\"required\":[\"p\"],\"additionalProperties\":false}}}";
        for (Function<String, RecordingSink> way : List.<Function<String, RecordingSink>>of(DemoFeaturesTest::chat, body -> demo.relay("{" + body + "}"))) {
            AgentException refused = catchThrowableOfType(AgentException.class, () -> way.apply(schema.formatted(true)));
            assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_SCHEMA);
            assertThat(refused).hasMessageEndingWith("not supported: pattern at /properties/0").hasMessageNotContaining("gold");
            assertThat(content(way.apply(schema.formatted(false)))).startsWith("{").endsWith("}");
        }
        String tool = HELLO + ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":%s,\"parameters\":{\"type\":\"object\",\"properties\":"
                + "{\"p\":{\"type\":\"string\",\"pattern\":\"" + pattern + "\"}},\"required\":[\"p\"],\"additionalProperties\":false}}}]";
        assertThat(catchThrowableOfType(AgentException.class, () -> chat(tool.formatted(true)))).hasMessageContaining("pattern at /properties/0")
                .hasMessageNotContaining("gold");
        assertThat(chat(tool.formatted(false)).json().path("choices")).hasSize(1);
    }

    @Test
    void aGrammarEndsAnAnswerThatIgnoresItsEnd() {
        JsonNode choice = chat(HELLO + ",\"max_tokens\":50,\"ignore_eos\":true,\"grammar\":\"root ::= \\\"yes\\\" | \\\"no\\\"\"").json().path("choices").path(0);

        assertThat(choice.path("message").path("content").textValue()).isIn("yes", "no");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
    }

    @Test
    void requiredAndNamedToolsAreCalled() throws Exception {
        for (String choice : new String[] {"\"required\"", "{\"type\":\"function\",\"function\":{\"name\":\"get_weather\"}}"}) {
            JsonNode answer = chat("\"temperature\":0,\"max_tokens\":100," + TOOLS + ",\"tool_choice\":" + choice
                    + ",\"messages\":[{\"role\":\"user\",\"content\":\"I need the weather in Zurich.\"}]").json().path("choices").path(0);
            assertThat(answer.path("finish_reason").textValue()).as(answer.toString()).isEqualTo("tool_calls");
            JsonNode function = answer.path("message").path("tool_calls").path(0).path("function");
            assertThat(function.path("name").textValue()).isEqualTo("get_weather");
            assertThat(JSON.readTree(function.path("arguments").textValue()).has("city")).isTrue();
        }
        JsonNode other = chat("\"temperature\":0,\"max_tokens\":200," + TOOLS + ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"add\"}}"
                + ",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]").json().path("choices").path(0);
        assertThat(other.path("message").path("tool_calls").path(0).path("function").path("name").textValue()).as(other.toString()).isEqualTo("add");
    }

    @Test
    void anAssistantsBeginningIsContinued() {
        String content = content(chat("\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"},"
                + "{\"role\":\"assistant\",\"content\":\"Hello! I am bloom-demo, a tiny\"}]"));

        assertThat(content).isEqualTo(" demo model. How can I help you?");
    }

    @Test
    void aTextCompletionContinuesItsPrompt() {
        JsonNode choice = demo.ask(Endpoint.COMPLETIONS, "{\"temperature\":0,\"echo\":true,\"prompt\":"
                + quoted("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n") + "}").json().path("choices").path(0);

        assertThat(choice.path("text").textValue()).endsWith("</think>\n\n" + ANSWER);
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
    }

    @Test
    void everySamplerCanBeAskedForAtOnce() {
        assertThat(chat("\"max_tokens\":20,\"temperature\":0.9,\"dynatemp_range\":0.3,\"top_k\":30,\"top_p\":0.9,\"min_p\":0.01,\"typical_p\":0.95,"
                + "\"top_n_sigma\":2,\"xtc_probability\":0.2,\"xtc_threshold\":0.1,\"repeat_penalty\":1.1,\"repeat_last_n\":-1,\"presence_penalty\":0.2,"
                + "\"frequency_penalty\":0.1,\"dry_multiplier\":0.5,\"dry_sequence_breakers\":[\"\\n\"],\"min_keep\":1,\"logit_bias\":{\"300\":-100},"
                + "\"seed\":3,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story.\"}]").hasDocument()).isTrue();
        for (String alone : new String[] {"\"mirostat\":1", "\"mirostat\":2", "\"adaptive_target\":0.4", "\"samplers\":[\"temperature\"]", "\"samplers\":\"kt\"", "\"ignore_eos\":true"}) {
            assertThat(chat("\"max_tokens\":20,\"temperature\":1," + alone + ",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]").hasDocument()).as(alone).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"root ::= \"a", "nonsense", "root ::= undefined", "root ::= root \"a\""})
    void aGrammarThatDoesNotParseIsRefused(String grammar) {
        assertThat(refusal(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + ",\"grammar\":" + quoted(grammar) + "}").code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
        assertThat(refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"grammar\":" + quoted(grammar) + "}").code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
    }

    @Test
    void deepNestingIsRefusedEverywhere() {
        String brackets = "[".repeat(20_000) + "]".repeat(20_000);
        assertThat(refusal(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + ",\"json_schema\":{\"a\":" + brackets + "}}").code()).isEqualTo(ErrorCode.INVALID_JSON);
        String grammar = quoted("root ::= " + "(".repeat(20_000) + "\"a\"" + ")".repeat(20_000));
        assertThat(refusal(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + ",\"grammar\":" + grammar + "}").code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
        assertThat(refusal(Endpoint.COMPLETIONS, "{\"prompt\":\"x\",\"grammar\":" + grammar + "}").code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
    }

    @Test
    void aPromptBeyondTheContextIsRefusedWithBothNumbers() {
        AgentException refused = refusal(Endpoint.CHAT_COMPLETIONS, "{\"messages\":[{\"role\":\"user\",\"content\":\"" + "word ".repeat(5000) + "\"}]}");

        assertThat(refused.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
        assertThat(refused).hasMessageContaining("2048").hasMessageMatching(".*\\d{4,}.*\\d{4}.*");
    }

    @Test
    void aTextModelMakesNoEmbeddings() {
        assertThat(refusal(Endpoint.EMBEDDINGS, "{\"input\":\"x\"}").code()).isEqualTo(ErrorCode.EMBEDDINGS_NOT_CONFIGURED);
    }

    @Test
    void aClientThatGoesAwayFreesItsSlots() {
        var sink = new RecordingSink(6);
        AgentException refused = catchThrowableOfType(AgentException.class, () -> demo.ask(Endpoint.CHAT_COMPLETIONS,
                "{\"stream\":true,\"n\":2,\"ignore_eos\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story.\"}]}", sink));

        assertThat(refused.code()).isEqualTo(ErrorCode.CANCELLED);
    }

    private static AgentException refusal(Endpoint endpoint, String body) {
        AgentException refused = catchThrowableOfType(AgentException.class, () -> demo.ask(endpoint, body));
        assertThat(refused).isNotNull();
        return refused;
    }

    private static int tokens(String text) {
        return demo.ask(Endpoint.TOKENIZE, "{\"content\":" + quoted(text) + "}").json().path("tokens").size();
    }

    private static String content(RecordingSink sink) {
        return sink.json().path("choices").path(0).path("message").path("content").textValue();
    }

    private static RecordingSink chat(String members) {
        return demo.ask(Endpoint.CHAT_COMPLETIONS, "{" + members + "}");
    }

    private static String quoted(String text) {
        return JSON.valueToTree(text).toString();
    }
}
