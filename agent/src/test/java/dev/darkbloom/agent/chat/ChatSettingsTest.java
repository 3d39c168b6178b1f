package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.HELLO;
import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.FakeGeneration.Script;
import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelRuntime.SamplingDefaults;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.SamplerSettings.Link;
import dev.darkbloom.agent.testing.FakeChatTemplate.Applied;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatSettingsTest {
    @Test
    void defaultsAreTheHousesThenTheModelsThenTheRequests() {
        ChatFixture fixture = ChatFixture.answering("x");
        SamplerSettings house = sampling(fixture, "");
        assertThat(house.temperature()).isEqualTo(0.8f);
        assertThat(house.topK()).isEqualTo(40);
        assertThat(house.topP()).isEqualTo(0.95f);
        assertThat(house.minP()).isEqualTo(0.05f);
        assertThat(house.seed()).isEqualTo(-1);

        fixture.pool.samplingDefaults(new SamplingDefaults(0.6f, OptionalInt.of(20), Float.NaN, Float.NaN, 1.1f));
        SamplerSettings model = sampling(fixture, "");
        assertThat(model.temperature()).isEqualTo(0.6f);
        assertThat(model.topK()).isEqualTo(20);
        assertThat(model.topP()).isEqualTo(0.95f);
        assertThat(model.penaltyRepeat()).isEqualTo(1.1f);

        SamplerSettings request = sampling(fixture, "\"temperature\":0,\"top_k\":1,\"repetition_penalty\":1.3");
        assertThat(request.temperature()).isZero();
        assertThat(request.topK()).isEqualTo(1);
        assertThat(request.penaltyRepeat()).isEqualTo(1.3f);
    }

    @Test
    void everySamplerOfLlamaServerIsRead() {
        SamplerSettings s = sampling(ChatFixture.answering("x"), "\"dynatemp_range\":0.5,\"dynatemp_exponent\":2,\"typical_p\":0.9,\"top_n_sigma\":1.5,"
                + "\"xtc_probability\":0.1,\"xtc_threshold\":0.2,\"repeat_penalty\":1.2,\"repeat_last_n\":32,\"presence_penalty\":0.1,"
                + "\"frequency_penalty\":-0.1,\"dry_multiplier\":0.8,\"dry_base\":1.5,\"dry_allowed_length\":3,\"dry_penalty_last_n\":128,"
                + "\"dry_sequence_breakers\":[\"\\n\",\"::\"],\"mirostat\":2,\"mirostat_tau\":4,\"mirostat_eta\":0.2,\"adaptive_target\":0.5,"
                + "\"adaptive_decay\":0.8,\"min_keep\":2,\"ignore_eos\":true,\"samplers\":[\"top_k\",\"temperature\"],\"seed\":42,"
                + "\"logit_bias\":{\"5\":-100,\"6\":1.5}");

        assertThat(s.dynatempRange()).isEqualTo(0.5f);
        assertThat(s.typicalP()).isEqualTo(0.9f);
        assertThat(s.topNSigma()).isEqualTo(1.5f);
        assertThat(s.xtcThreshold()).isEqualTo(0.2f);
        assertThat(s.penaltyLastN()).isEqualTo(32);
        assertThat(s.penaltyFrequency()).isEqualTo(-0.1f);
        assertThat(s.dryAllowedLength()).isEqualTo(3);
        assertThat(s.dryBreakers()).hasSize(2);
        assertThat(s.mirostat()).isEqualTo(2);
        assertThat(s.adaptiveDecay()).isEqualTo(0.8f);
        assertThat(s.minKeep()).isEqualTo(2);
        assertThat(s.ignoreEndOfGeneration()).isTrue();
        assertThat(s.order()).containsExactly(Link.TOP_K, Link.TEMPERATURE);
        assertThat(s.seed()).isEqualTo(42);
        assertThat(s.logitBias().byteSize()).isEqualTo(16);
    }

    @Test
    void aBiasOfATextIsThatOfEachOfItsTokens() {
        ChatFixture fixture = ChatFixture.answering("x");
        assertThat(bias(fixture, "{\"a\\u0062\":2.5,\"99\":-1}")).isEqualTo("97 2.5 98 2.5 99 -1.0 ");
        assertThat(bias(fixture, "[[\"é\",false],[100,1]]")).isEqualTo("195 -Infinity 169 -Infinity 100 1.0 ");
        assertThat(bias(fixture, "[[\"\",1]]")).isEmpty();
        assertThat(fixture.chatRefusal("\"logit_bias\":{\"" + "x".repeat(2000) + "\":1}").param()).contains("logit_bias");
    }

    @Test
    void seedsOfAnySizeAreTaken() {
        ChatFixture fixture = ChatFixture.answering("x");
        assertThat(sampling(fixture, "\"seed\":12345678901234567000").seed()).isEqualTo((int) Long.parseUnsignedLong("12345678901234567000"));
        assertThat(sampling(fixture, "\"seed\":null").seed()).isEqualTo(-1);
        assertThat(fixture.chatRefusal("\"seed\":1.5").param()).contains("seed");
        assertThat(fixture.chatRefusal("\"seed\":\"1\"").param()).contains("seed");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "temperature|-0.1", "temperature|2.1", "temperature|1e999", "temperature|\"hot\"", "temperature|[]", "top_p|1.5", "top_p|-1", "min_p|2",
        "top_k|1.5", "top_k|-2", "presence_penalty|3", "frequency_penalty|-2.5", "repeat_penalty|0", "mirostat|3", "mirostat|0.5", "n|0", "n|9", "n|1.5",
        "n|\"2\"", "max_tokens|-1", "max_tokens|1.5", "max_tokens|\"5\"", "max_completion_tokens|-7", "max_output_tokens|-1", "n_predict|-2",
        "top_logprobs|21", "top_logprobs|3", "logprobs|3", "stream|\"true\"", "stream|1", "stream_options|true", "stop|1", "stop|[1]",
        "logit_bias|5", "logit_bias|{\"\":1}", "logit_bias|{\"x\":101}", "logit_bias|{\"259\":1}", "logit_bias|{\"-1\":1}", "logit_bias|{\"5\":101}", "logit_bias|{\"5\":\"1\"}",
        "logit_bias|[[1]]", "samplers|[]", "samplers|[\"nope\"]", "samplers|\"?\"", "dry_sequence_breakers|[]", "dry_sequence_breakers|[1]",
        "response_format|\"json\"", "response_format|{}", "response_format|{\"type\":\"xml\"}", "response_format|{\"type\":\"json_schema\"}",
        "reasoning_effort|\"extreme\"", "chat_template_kwargs|[]", "chat_template_kwargs|{\"enable_thinking\":\"no\"}", "enable_thinking|1",
        "parallel_tool_calls|\"no\"", "continue_final_message|true", "grammar|5", "model|5"})
    void valuesOutOfRangeOrOfTheWrongTypeAreRefusedByName(String name, String value) {
        AgentException refused = ChatFixture.answering("x").refusal(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + ",\"" + name + "\":" + value + "}");

        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refused.param()).contains(name);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"audio|{}", "modalities|[\"audio\"]", "functions|[{}]", "function_call|{\"name\":\"x\"}", "web_search_options|{}",
        "verbosity|\"high\"", "return_tokens|true", "t_max_predict_ms|100", "n_indent|2", "lora|[{\"id\":0}]", "return_progress|true", "post_sampling_probs|true",
        "response_fields|[\"a\"]", "reasoning_budget_tokens|5", "generation_prompt|\"x\"", "n_predict|0"})
    void documentedParametersThatWeDoNotHaveAreRefusedByName(String name, String value) {
        AgentException refused = ChatFixture.answering("x").chatRefusal("\"" + name + "\":" + value);

        assertThat(refused.code()).isEqualTo(ErrorCode.UNSUPPORTED_PARAMETER);
        assertThat(refused.param()).contains(name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"audio\":null", "\"modalities\":[\"text\"]", "\"n_keep\":5", "\"user\":\"u\"", "\"metadata\":{\"a\":\"b\"}", "\"store\":true",
        "\"service_tier\":\"auto\"", "\"prediction\":{\"type\":\"content\",\"content\":\"x\"}", "\"temperature\":null", "\"stop\":null", "\"stop\":\"\"", "\"stop\":[]",
        "\"max_tokens\":0", "\"n_predict\":-1", "\"logit_bias\":{}", "\"tools\":[]", "\"response_format\":{\"type\":\"text\"}", "\"grammar\":\"\"", "\"lora\":[]",
        "\"n\":1.0", "\"max_tokens\":1e3", "\"max_tokens\":99999999999"})
    void whatAsksForNothingIsAccepted(String member) {
        assertThat(ChatFixture.answering("x").chat(member).hasDocument()).isTrue();
    }

    @Test
    void whoWantsItsPromptComputedAnewGetsThat() {
        for (Endpoint endpoint : List.of(Endpoint.CHAT_COMPLETIONS, Endpoint.COMPLETIONS)) {
            ChatFixture fixture = ChatFixture.answering("x");
            String request = "{\"model\":\"demo\"," + (endpoint == Endpoint.COMPLETIONS ? "\"prompt\":\"Hi\"" : HELLO);
            fixture.ask(endpoint, request + ",\"cache_prompt\":false}");
            fixture.ask(endpoint, request + ",\"cache_prompt\":true}");
            fixture.ask(endpoint, request + "}");

            assertThat(fixture.pool.generations().stream().map(generation -> generation.request().reusesCache())).containsExactly(false, true, true);
        }
    }

    @Test
    void everyEventHasTheTimesSoFarWhereThatIsAskedFor() {
        for (String usage : List.of("", ",\"stream_options\":{\"include_usage\":true}")) {
            List<JsonNode> events = ChatFixture.answering("Hey").stream("\"timings_per_token\":true" + usage).events();

            assertThat(events).allMatch(event -> event.path("timings").path("prompt_ms").doubleValue() == 20);
            assertThat(events.stream().filter(event -> event.has("usage"))).hasSize(1);
            assertThat(events.stream().map(event -> event.path("timings").path("predicted_n").intValue())).startsWith(0, 1, 2, 3);
        }
        assertThat(ChatFixture.answering("Hey").stream("").events().stream().filter(event -> event.has("timings"))).hasSize(1);
    }

    @Test
    void namesThatNobodyDocumentsAreIgnoredAndCounted() {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.chat("\"frobnicate\":1,\"frobnicate_too\":{}");

        assertThat(fixture.completions.unknownParameters()).isEqualTo(2);
    }

    @Test
    void theFirstPositiveTokenLimitCounts() {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.chat("\"max_output_tokens\":5,\"max_completion_tokens\":4,\"max_tokens\":0,\"n_predict\":9");
        assertThat(fixture.pool.generations().getLast().request().maxTokens()).isEqualTo(4);
        fixture.chat("\"n_predict\":9");
        assertThat(fixture.pool.generations().getLast().request().maxTokens()).isEqualTo(9);
        fixture.chat("\"max_tokens\":null");
        assertThat(fixture.pool.generations().getLast().request().maxTokens()).isEqualTo(Integer.MAX_VALUE);
    }

    @Test
    void tenThousandStopStringsAreRefusedWithTheLimit() {
        AgentException refused = ChatFixture.answering("x").chatRefusal("\"stop\":[" + "\"a\",".repeat(9_999) + "\"a\"]");

        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refused).hasMessage("stop has 10000 strings; at most 64 are allowed");
        assertThat(ChatFixture.answering("x").chatRefusal("\"stop\":\"" + "a".repeat(5000) + "\"").param()).contains("stop");
    }

    @Test
    void onlyAStrictSchemaIsCheckedForKeywordsThatAreNotEnforced() {
        var fixture = ChatFixture.answering("x");
        String format = "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",%s\"schema\":{\"type\":\"array\"}}}";
        for (String member : new String[] {"", "\"strict\":false,", "\"strict\":null,"}) {
            fixture.pool.answers(Script.of("x"));
            fixture.chat(format.formatted(member));
        }
        assertThat(fixture.pool.tokenizer().checkedSchemas()).isEmpty();

        fixture.pool.answers(Script.of("x"));
        fixture.chat(format.formatted("\"strict\":true,"));
        assertThat(fixture.pool.tokenizer().checkedSchemas()).containsExactly("{\"type\":\"array\"}");
        assertThat(fixture.chatRefusal(format.formatted("\"strict\":1,")).param()).contains("response_format");
    }

    @Test
    void schemasGrammarsAndFormatsReachTheTemplate() {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.chat("\"response_format\":{\"type\":\"json_object\"}");
        assertThat(applied(fixture).schema()).isEqualTo("{\"type\":\"object\"}");
        fixture.chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"schema\":{\"type\":\"array\"}}}");
        assertThat(applied(fixture).schema()).isEqualTo("{\"type\":\"array\"}");
        fixture.chat("\"response_format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"string\"}}");
        assertThat(applied(fixture).schema()).isEqualTo("{\"type\":\"string\"}");
        fixture.chat("\"json_schema\":{\"type\":\"number\"}");
        assertThat(applied(fixture).schema()).isEqualTo("{\"type\":\"number\"}");
        fixture.chat("\"grammar\":\"root ::= \\\"a\\\"\"");
        assertThat(applied(fixture).grammar()).isEqualTo("root ::= \"a\"");
        assertThat(fixture.chatRefusal("\"json_schema\":[]").code()).isEqualTo(ErrorCode.INVALID_SCHEMA);
        assertThat(fixture.chatRefusal("\"json_schema\":{},\"grammar\":\"root ::= \\\"a\\\"\"").param()).contains("grammar");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', nullValues = "null", value = {
        "\"x\":1|false|''", "\"enable_thinking\":true|true|''", "\"chat_template_kwargs\":{\"enable_thinking\":true}|true|{\"enable_thinking\":true}",
        "\"reasoning_effort\":\"none\"|false|''", "\"reasoning_effort\":\"high\"|true|{\"reasoning_effort\":\"high\"}",
        "\"reasoning_effort\":\"minimal\"|false|{\"reasoning_effort\":\"minimal\"}", "\"reasoning\":{\"effort\":\"low\"}|true|{\"reasoning_effort\":\"low\"}",
        "\"reasoning_effort\":\"low\",\"chat_template_kwargs\":{\"a\":1,\"enable_thinking\":false}|false|{\"a\":1,\"enable_thinking\":false,\"reasoning_effort\":\"low\"}"})
    void thinkingFollowsTheRequestThenTheModel(String members, Boolean enabled, String kwargs) {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.chat(members);

        assertThat(applied(fixture).enableThinking()).isEqualTo(enabled);
        assertThat(applied(fixture).kwargs()).isEqualTo(kwargs);
    }

    @Test
    void aModelWithoutADefaultThinksAsItsTemplateHasIt() {
        ChatFixture fixture = new ChatFixture("other");
        fixture.ask(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + "}");

        assertThat(applied(fixture).enableThinking()).isNull();
        assertThat(applied(fixture).parseReasoning()).isTrue();
        fixture.ask(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + ",\"reasoning_format\":\"none\"}");
        assertThat(applied(fixture).parseReasoning()).isFalse();
    }

    private static Applied applied(ChatFixture fixture) {
        return fixture.pool.template().lastApplied();
    }

    /** Returns the biases that reach the engine, as text; read while the request runs, since they are gone when it ends. */
    private static String bias(ChatFixture fixture, String value) {
        var seen = new StringBuilder();
        fixture.pool.answers(request -> {
            MemorySegment bias = request.sampling().logitBias();
            for (long at = 0; at < bias.byteSize(); at += 8) {
                seen.append(bias.get(ValueLayout.JAVA_INT_UNALIGNED, at)).append(' ').append(bias.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 4)).append(' ');
            }
            return Script.of("x");
        });
        fixture.chat("\"logit_bias\":" + value);
        return seen.toString();
    }

    private static SamplerSettings sampling(ChatFixture fixture, String members) {
        fixture.chat(members);
        return fixture.pool.generations().getLast().request().sampling();
    }
}
