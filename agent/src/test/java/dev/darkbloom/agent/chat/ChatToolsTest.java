package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.joined;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ChatTemplate.ToolChoice;
import dev.darkbloom.agent.testing.RecordingSink;
import org.junit.jupiter.api.Test;

class ChatToolsTest {
    private static final String TOOLS = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_time\"}},"
            + "{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\"}}}]";
    private static final String CALL = "Let me see.<call add>{\"a\":1,\"b\":\"x\\\"y\"}</call><call get_time>{}</call>";

    @Test
    void callsAreStreamedWithTheirArguments() {
        RecordingSink sink = ChatFixture.answering(CALL).stream(TOOLS);

        assertThat(joined(sink, 0, "content")).isEqualTo("Let me see.");
        var arguments = new StringBuilder();
        JsonNode begin = null;
        for (JsonNode event : sink.events()) {
            JsonNode call = event.path("choices").path(0).path("delta").path("tool_calls").path(0);
            if (call.has("id")) {
                begin = begin == null ? call : begin;
            } else if (call.path("index").asInt(-1) == 0) {
                arguments.append(call.path("function").path("arguments").textValue());
            }
        }
        assertThat(begin).hasToString("{\"index\":0,\"id\":\"call_0\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"\"}}");
        assertThat(arguments).hasToString("{\"a\":1,\"b\":\"x\\\"y\"}");
        assertThat(sink.events().getLast().path("choices").path(0).path("finish_reason").textValue()).isEqualTo("tool_calls");
    }

    @Test
    void callsStandInTheDocument() {
        JsonNode choice = ChatFixture.answering(CALL).chat(TOOLS).json().path("choices").path(0);

        assertThat(choice.path("message").path("tool_calls").toString()).isEqualTo(
                "[{\"id\":\"call_0\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1,\\\"b\\\":\\\"x\\\\\\\"y\\\"}\"}},"
                        + "{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"get_time\",\"arguments\":\"{}\"}}]");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("tool_calls");
        assertThat(ChatFixture.answering("<call add>{}</call>").chat(TOOLS).json().path("choices").path(0).path("message").path("content").isNull()).isTrue();
    }

    @Test
    void withoutToolsNothingIsReadAsACall() {
        JsonNode choice = ChatFixture.answering(CALL).chat("").json().path("choices").path(0);

        assertThat(choice.path("message").path("content").textValue()).isEqualTo(CALL);
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(ChatFixture.answering(CALL).chat(TOOLS + ",\"tool_choice\":\"none\"").json().path("choices").path(0).path("message").has("tool_calls")).isFalse();
    }

    @Test
    void aChoiceByNameIsThatToolAlone() {
        ChatFixture fixture = ChatFixture.answering("<call add>{}</call>");
        fixture.chat(TOOLS + ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"a\\u0064d\"}}");

        assertThat(fixture.pool.template().lastApplied().tools()).isEqualTo("[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\"}}}]");
        assertThat(fixture.pool.template().lastApplied().toolChoice()).isEqualTo(ToolChoice.REQUIRED);
        assertThat(fixture.pool.tokenizer().grammars()).hasSize(1);
    }

    @Test
    void aRequiredCallThatDoesNotComeIsAnError() {
        ChatFixture fixture = ChatFixture.answering("No.");

        assertThat(fixture.chatRefusal(TOOLS + ",\"tool_choice\":\"required\"").code()).isEqualTo(ErrorCode.GENERATION_FAILED);
        RecordingSink sink = fixture.stream(TOOLS + ",\"tool_choice\":\"required\"");
        assertThat(sink.isAborted()).isTrue();
        assertThat(sink.events().getLast().path("error").path("code").textValue()).isEqualTo("generation_failure");
    }

    @Test
    void onlyAStrictToolIsCheckedForKeywordsThatAreNotEnforced() {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.chat("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"strict\":false,\"parameters\":{\"type\":\"object\"}}},"
                + "{\"type\":\"function\",\"function\":{\"name\":\"b\",\"parameters\":{\"title\":\"b\"},\"strict\":true}},"
                + "{\"type\":\"function\",\"function\":{\"name\":\"c\",\"strict\":true}},"
                + "{\"type\":\"function\",\"function\":{\"name\":\"d\",\"strict\":null,\"parameters\":{}}}]");

        assertThat(fixture.pool.tokenizer().checkedSchemas()).containsExactly("{\"title\":\"b\"}");
    }

    @Test
    void malformedToolsAreRefusedByName() {
        ChatFixture fixture = ChatFixture.answering("x");
        for (String tools : new String[] {"{}", "[1]", "[{}]", "[{\"type\":\"function\"}]", "[{\"type\":\"function\",\"function\":{\"name\":\"\"}}]",
            "[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":[]}}]"}) {
            AgentException refused = fixture.chatRefusal("\"tools\":" + tools);
            assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
            assertThat(refused.param()).contains("tools");
        }
        assertThat(fixture.chatRefusal("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"strict\":1}}]").param()).contains("tools");
        assertThat(fixture.chatRefusal("\"tools\":[{\"type\":\"web_search\"}]").code()).isEqualTo(ErrorCode.UNSUPPORTED_PARAMETER);
        assertThat(fixture.chatRefusal("\"tool_choice\":\"required\"").param()).contains("tool_choice");
        assertThat(fixture.chatRefusal(TOOLS + ",\"tool_choice\":\"sometimes\"").param()).contains("tool_choice");
        assertThat(fixture.chatRefusal(TOOLS + ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"none_such\"}}").param()).contains("tool_choice");
        assertThat(fixture.chatRefusal(TOOLS + ",\"grammar\":\"root ::= \\\"a\\\"\"").param()).contains("grammar");
    }
}
