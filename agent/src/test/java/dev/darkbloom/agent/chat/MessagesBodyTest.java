package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.llama.ChatTemplate.ToolChoice;
import dev.darkbloom.agent.testing.FakeChatTemplate.Applied;
import dev.darkbloom.agent.testing.OffHeap;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a request of the Messages API becomes. */
class MessagesBodyTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String TOOL = "{\"name\":\"f\",\"description\":\"does\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"a\":{}}}}";

    /** Members beside a simple turn, of every kind that changes a prompt. */
    static final List<String> BODIES = List.of(
            "",
            ",\"system\":\"Be brief.\"",
            ",\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"Be kind.\"}]",
            ",\"tools\":[" + TOOL + "]",
            ",\"tools\":[" + TOOL + "],\"system\":\"s\",\"tool_choice\":{\"type\":\"any\"}",
            ",\"tools\":[" + TOOL + "],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}",
            ",\"tools\":[" + TOOL + "],\"tool_choice\":{\"type\":\"none\"}",
            ",\"tools\":[" + TOOL + "],\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}",
            ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}",
            ",\"thinking\":{\"type\":\"disabled\"}",
            ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"low\"}",
            ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}",
            ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
                    + "{\"role\":\"assistant\",\"content\":\"The answer is\"}]",
            ",\"tools\":[" + TOOL + "],\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
                    + "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}]},"
                    + "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"ok\"}]}]");

    /** {@code MessageCreateParams} and {@code MessageCountTokensParams} of the {@code @anthropic-ai/sdk} package 1.13.0, its beta's included. */
    private static final List<String> DOCUMENTED = List.of("max_tokens", "messages", "model", "cache_control", "compaction", "container",
            "context_management", "diagnostics", "fallback_credit_token", "fallbacks", "inference_geo", "billing_policy", "mcp_servers", "metadata",
            "output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream", "system", "thinking", "thread", "tool_choice",
            "tools", "user_profile_id", "workspace_id", "betas");

    private static Applied applied(String more) {
        return fixture(more).pool.template().lastApplied();
    }

    private static ChatFixture fixture(String more) {
        ChatFixture fixture = ChatFixture.answering("<call f>{}</call>");
        fixture.ask(Endpoint.MESSAGES, body(more));
        return fixture;
    }

    private static String body(String more) {
        return "{\"model\":\"demo\",\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]" + more + "}";
    }

    private static String messages(String turns) {
        return applied(",\"messages\":[" + turns + "]").messages();
    }

    private static AgentException refusal(String more) {
        return ChatFixture.answering("x").refusal(Endpoint.MESSAGES, body(more));
    }

    @Test
    void everyDocumentedParameterHasAnAnswer() {
        assertThat(Parameters.MESSAGES.all()).containsAll(DOCUMENTED).contains("temperature", "top_p", "top_k"); // these for older packages
        assertThat(Parameters.CHAT.all()).containsAll(MessagesBody.COPIED);
    }

    @Test
    void systemTextIsTheFirstMessage() {
        assertThat(applied(BODIES.get(1)).messages())
                .isEqualTo("[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"}]");
        assertThat(applied(BODIES.get(2)).messages())
                .isEqualTo("[{\"role\":\"system\",\"content\":\"Be brief.\\nBe kind.\"},{\"role\":\"user\",\"content\":\"Hi\"}]");
    }

    @Test
    void textIsCopiedEscapesAndAll() {
        assertThat(messages("{\"role\":\"user\",\"content\":[{\"text\":\"a\\\"\\u00e9\\n🚀\",\"type\":\"text\"}]}"))
                .isEqualTo("[{\"role\":\"user\",\"content\":\"a\\\"\\u00e9\\n🚀\"}]");
    }

    @Test
    void turnsOfOneRoleAreOneMessage() {
        assertThat(messages("{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]},"
                + "{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":\"user\",\"content\":\"\"}"))
                .isEqualTo("[{\"role\":\"user\",\"content\":\"a\\nb\"},{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":\"user\",\"content\":\"\"}]");
    }

    @Test
    void toolUsesBecomeCallsAndResultsMessagesInTheirOrder() {
        assertThat(messages("{\"role\":\"user\",\"content\":\"go\"},"
                + "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\","
                + "\"data\":\"x\"},{\"type\":\"text\",\"text\":\"I look\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\": \"x\\ny\"}},"
                + "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{},\"cache_control\":{\"type\":\"ephemeral\"}}]},"
                + "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":[{\"type\":\"text\",\"text\":\"one\"},"
                + "{\"type\":\"text\",\"text\":\"two\"}]},{\"type\":\"tool_result\",\"tool_use_id\":\"t2\"},{\"type\":\"text\",\"text\":\"and now?\"}]}"))
                .isEqualTo("[{\"role\":\"user\",\"content\":\"go\"},"
                        + "{\"role\":\"assistant\",\"reasoning_content\":\"hm\",\"content\":\"I look\",\"tool_calls\":["
                        + "{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": \\\"x\\\\ny\\\"}\"}},"
                        + "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
                        + "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"name\":\"f\",\"content\":\"one\\ntwo\"},"
                        + "{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"name\":\"g\",\"content\":\"\"},"
                        + "{\"role\":\"user\",\"content\":\"and now?\"}]");
    }

    @Test
    void textBehindACallIsAMessageOfItsOwn() {
        assertThat(messages("{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}},"
                + "{\"type\":\"text\",\"text\":\"done\"}]},{\"role\":\"user\",\"content\":\"ok\"}"))
                .contains("\"arguments\":\"{}\"}}]},{\"role\":\"assistant\",\"content\":\"done\"},{\"role\":\"user\"");
    }

    @ParameterizedTest
    @CsvSource({"'\"content\":\"no such file\"',Error: no such file", "'\"content\":\"error 7\"',error 7", "'\"cache_control\":null',Error"})
    void aFailedToolSaysSoInItsText(String content, String said) {
        String result = "{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"is_error\":true," + content + "}";

        assertThat(messages("{\"role\":\"user\",\"content\":[" + result + "]}"))
                .isEqualTo("[{\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":\"" + said + "\"}]");
    }

    @Test
    void aLastTurnOfTheAssistantIsContinued() {
        Applied prefilled = applied(BODIES.get(12));
        assertThat(prefilled.continueFinalMessage()).isTrue();
        assertThat(prefilled.messages()).isEqualTo("[{\"role\":\"user\",\"content\":\"a\\nb\"},{\"role\":\"assistant\",\"content\":\"The answer is\"}]");

        Applied empty = applied(",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":[]}]");
        assertThat(empty.continueFinalMessage()).isFalse();
        assertThat(empty.messages()).isEqualTo("[{\"role\":\"user\",\"content\":\"a\"}]");
    }

    @Test
    void toolsBecomeFunctions() throws IOException {
        Applied applied = applied(",\"tools\":[" + TOOL + ",{\"type\":\"custom\",\"name\":\"g\",\"input_schema\":{},\"strict\":true,\"cache_control\":{}}]");

        assertThat(JSON.readTree(applied.tools())).isEqualTo(JSON.readTree("[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does\","
                + "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{}}}}},"
                + "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{},\"strict\":true}}]"));
        assertThat(applied.toolChoice()).isEqualTo(ToolChoice.AUTO);
    }

    @Test
    void toolChoicesHaveTheirOpenAiNames() {
        String two = ",\"tools\":[" + TOOL + ",{\"name\":\"g\",\"input_schema\":{}}],\"tool_choice\":";

        assertThat(applied(two + "{\"type\":\"any\"}").toolChoice()).isEqualTo(ToolChoice.REQUIRED);
        assertThat(applied(two + "{\"type\":\"none\"}").toolChoice()).isEqualTo(ToolChoice.NONE);
        Applied named = applied(two + "{\"type\":\"tool\",\"name\":\"g\",\"disable_parallel_tool_use\":true}");
        assertThat(named.toolChoice()).isEqualTo(ToolChoice.REQUIRED);
        assertThat(named.tools()).contains("\"g\"").doesNotContain("\"f\"");
        assertThat(rewritten(two + "{\"type\":\"auto\",\"disable_parallel_tool_use\":true}").path("parallel_tool_calls").isBoolean()).isTrue();
        assertThat(rewritten(two + "{\"type\":\"auto\",\"disable_parallel_tool_use\":false}").has("parallel_tool_calls")).isFalse();
    }

    @Test
    void thinkingEffortAndFormatReachTheTemplate() {
        assertThat(applied(BODIES.get(8)).enableThinking()).isTrue();
        assertThat(applied(BODIES.get(9)).enableThinking()).isFalse();
        Applied adaptive = applied(BODIES.get(10));
        assertThat(adaptive.enableThinking()).isTrue();
        assertThat(adaptive.kwargs()).isEqualTo("{\"reasoning_effort\":\"low\"}");
        assertThat(applied("").enableThinking()).isFalse(); // as the owner has it for this model
        assertThat(applied(BODIES.get(11)).schema()).isEqualTo("{\"type\":\"object\"}");
        assertThat(applied(",\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"array\"}}").schema()).isEqualTo("{\"type\":\"array\"}");
    }

    @Test
    void numbersAndTheIgnoredOnesAreTaken() {
        ChatFixture fixture = fixture(",\"temperature\":0.5,\"top_p\":0.5,\"top_k\":7,\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\","
                + "\"cache_control\":{\"type\":\"ephemeral\"},\"stop_sequences\":null,\"system\":null,\"tools\":[],\"mcp_servers\":[],"
                + "\"context_management\":{\"edits\":[{\"type\":\"clear_thinking_20251015\",\"keep\":\"all\"}]}");

        GenerationRequest request = fixture.pool.generations().getFirst().request();
        assertThat(request.maxTokens()).isEqualTo(500);
        assertThat(request.sampling().temperature()).isEqualTo(0.5f);
        assertThat(request.sampling().topP()).isEqualTo(0.5f);
        assertThat(request.sampling().topK()).isEqualTo(7);
        assertThat(fixture.completions.unknownParameters()).isZero();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        ",'messages':[] | messages is empty",
        ",'messages':{} | messages must be an array",
        ",'messages':[7] | messages[0].role must be user or assistant",
        ",'messages':[{'role':'tool','content':'x'}] | messages[0].role must be user or assistant",
        ",'messages':[{'role':'user'}] | messages[0].content must be a string or an array of blocks",
        ",'messages':[{'role':'user','content':[]}] | messages[0].content is empty",
        ",'messages':[{'role':'user','content':['x']}] | messages[0].content[0] is not a block of a type that is known here",
        ",'messages':[{'role':'user','content':[{'type':'text'}]}] | messages[0].content[0].text must be a string",
        ",'messages':[{'role':'user','content':[{'type':'tool_use'}]}] | messages[0].content[0] is a tool_use block",
        ",'messages':[{'role':'assistant','content':[{'type':'tool_result'}]}] | messages[0].content[0] is a tool_result block",
        ",'messages':[{'role':'assistant','content':[{'type':'tool_use','id':'t','name':'f','input':'{}'}]}] | messages[0].content[0].input must be an object",
        ",'messages':[{'role':'user','content':[{'type':'tool_result','content':'x'}]}] | messages[0].content[0].tool_use_id must be a string",
        ",'system':[{'type':'text'}] | system[0].text must be a string",
        ",'system':7 | system must be a string or an array of text blocks",
        ",'tools':[{'input_schema':{}}] | tools[0].name is missing",
        ",'tools':[{'name':'f'}] | tools[0].input_schema must be an object",
        ",'tool_choice':{'type':'any'} | tool_choice is any, but there are no tools",
        ",'tool_choice':{'type':'required'} | tool_choice.type must be auto, any, tool or none",
        ",'stop_sequences':'x' | stop_sequences must be an array",
        ",'stop_sequences':[7] | stop_sequences must be an array of strings",
        ",'thinking':{'type':'enabled'} | thinking.budget_tokens must be a positive integer",
        ",'thinking':{'type':'on'} | thinking.type must be enabled, disabled or adaptive",
        ",'output_config':{'effort':'much'} | output_config.effort must be",
        ",'output_config':{'format':{'type':'text'}} | the output format's type must be json_schema",
        ",'temperature':-1 | temperature is out of range",
        ",'max_tokens':0 | max_tokens must be an integer of at least 1",
        ",'max_tokens':null | max_tokens is missing"})
    void whatIsWrongIsNamedInTheWordsOfTheApi(String more, String message) {
        AgentException refused = refusal(more.strip().replaceAll("'(?!s )", "\""));

        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refused.getMessage()).startsWith(message.strip());
    }

    @ParameterizedTest
    @CsvSource({"container", "mcp_servers", "context_management", "compaction", "thread"})
    void whatWouldChangeTheAnswerAndIsNotDoneIsRefusedByName(String name) {
        AgentException refused = refusal(",\"" + name + "\":{\"type\":\"create\"}");

        assertThat(refused.code()).isEqualTo(ErrorCode.UNSUPPORTED_PARAMETER);
        assertThat(refused.param()).contains(name);
    }

    @ParameterizedTest
    @CsvSource({"image", "document"})
    void mediaAreRefused(String type) {
        String block = "{\"type\":\"" + type + "\",\"source\":{\"type\":\"base64\",\"data\":\"AAAA\"}}";
        for (String content : List.of(block, "{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[" + block + "]}")) {
            AgentException refused = refusal(",\"messages\":[{\"role\":\"user\",\"content\":[" + content + "]}]");

            assertThat(refused.code()).isEqualTo(ErrorCode.UNSUPPORTED_MEDIA);
            assertThat(refused.getMessage()).startsWith("unsupported media: messages[0].content[0]").contains("of type " + type);
        }
    }

    @ParameterizedTest
    @CsvSource({"web_search_20250305", "bash_20250124", "tool_search_tool_regex", "code_execution_20260521"})
    void aToolOfTheServiceIsRefusedByName(String type) {
        AgentException refused = refusal(",\"tools\":[" + TOOL + ",{\"type\":\"" + type + "\",\"name\":\"x\"}]");

        assertThat(refused.code()).isEqualTo(ErrorCode.UNSUPPORTED_PARAMETER);
        assertThat(refused.getMessage()).startsWith("tools[1] is of type " + type);
    }

    @Test
    void aToolsInputThatIsNestedTooDeepIsRefused() {
        String deep = "{\"a\":".repeat(150) + "1" + "}".repeat(150);
        String input = "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":" + deep + "}";
        messages("{\"role\":\"assistant\",\"content\":[" + input + "]},{\"role\":\"user\",\"content\":\"x\"}");

        AgentException refused = refusal(",\"messages\":[{\"role\":\"assistant\",\"content\":[" + input.replace("{\"a\":1}", "{\"a\":".repeat(60) + "1"
                + "}".repeat(60)) + "]}]");
        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_JSON);
    }

    @Test
    void aLongConversationIsRead() {
        String turn = "{\"role\":\"user\",\"content\":\"" + "long ".repeat(200) + "\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"yes\"}]},";
        JsonNode read = rewritten(",\"messages\":[" + turn.repeat(500) + "{\"role\":\"user\",\"content\":\"end\"}]").path("messages");

        assertThat(read.size()).isEqualTo(1001);
        assertThat(read.path(1000).path("content").textValue()).isEqualTo("end");
    }

    private static JsonNode rewritten(String more) {
        try (Content body = OffHeap.body(body(more));
                SseWriter chat = MessagesBody.rewrite(RequestBody.read(body.segment(), Parameters.MESSAGES, new LongAdder()), true)) {
            return JSON.readTree(OffHeap.text(chat.segment()));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
