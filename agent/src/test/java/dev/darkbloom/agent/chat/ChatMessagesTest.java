package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.HELLO;
import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChatMessagesTest {
    @ParameterizedTest
    @ValueSource(strings = {"[]", "{}", "\"hi\"", "[1]", "[{}]", "[{\"role\":\"user\"}]", "[{\"role\":\"king\",\"content\":\"x\"}]", "[{\"role\":1,\"content\":\"x\"}]",
        "[{\"role\":\"user\",\"content\":5}]", "[{\"role\":\"user\",\"content\":null}]", "[{\"role\":\"system\",\"content\":null}]",
        "[{\"role\":\"user\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"x\"}]}]", "[{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\"}]}]",
        "[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]", "[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]",
        "[{\"role\":\"user\",\"content\":[{\"type\":\"smell\"}]}]", "[{\"role\":\"assistant\"}]", "[{\"role\":\"assistant\",\"tool_calls\":[{}]}]",
        "[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\"}}]}]"})
    void malformedMessagesAreRefused(String messages) {
        AgentException refused = refusal(messages);

        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refused.param()).contains("messages");
    }

    @Test
    void missingMessagesAndOtherBodiesAreRefused() {
        ChatFixture fixture = ChatFixture.answering("x");
        assertThat(fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{}").param()).contains("messages");
        assertThat(fixture.refusal(Endpoint.CHAT_COMPLETIONS, "[]").code()).isEqualTo(ErrorCode.INVALID_JSON);
        assertThat(fixture.refusal(Endpoint.CHAT_COMPLETIONS, "").code()).isEqualTo(ErrorCode.INVALID_JSON);
        assertThat(fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{\"messages\":[").code()).isEqualTo(ErrorCode.INVALID_JSON);
    }

    @ParameterizedTest
    @ValueSource(strings = {"image_url", "input_audio", "file", "input_image", "video_url"})
    void mediaPartsAreRefusedAsSuch(String type) {
        AgentException refused = refusal("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"" + type + "\"}]}]");

        assertThat(refused.code()).isEqualTo(ErrorCode.UNSUPPORTED_MEDIA);
        assertThat(refused).hasMessageContaining(type);
    }

    @Test
    void messagesReachTheTemplateAsTheyAre() {
        ChatFixture fixture = ChatFixture.answering("x");
        String messages = "[ {\"role\":\"system\",\"content\":\"s\"}, {\"content\":[{\"type\":\"text\",\"text\":\"a\\u00e9\"}],\"role\":\"user\",\"name\":\"n\"} ]";
        fixture.ask(Endpoint.CHAT_COMPLETIONS, "{\"messages\":" + messages + "}");

        assertThat(fixture.pool.template().lastApplied().messages()).isEqualTo(messages);
        assertThat(fixture.pool.prompts()).containsExactly(messages);
    }

    @Test
    void instructionsBecomeTheFirstSystemMessage() {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.chat("\"instructions\":\"Be \\\"brief\\\".\"");

        assertThat(fixture.pool.template().lastApplied().messages())
                .isEqualTo("[{\"role\":\"system\",\"content\":\"Be \\\"brief\\\".\"},{\"role\":\"user\",\"content\":\"Hi\"}]");
    }

    @Test
    void aRefusalOfTheAssistantIsItsText() {
        ChatFixture fixture = ChatFixture.answering("x");
        String history = "[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},%s,%s]}, {\"role\":\"user\",\"content\":\"q\"}]";
        fixture.ask(Endpoint.CHAT_COMPLETIONS, "{\"instructions\":\"s\",\"messages\":"
                + history.formatted("{\"refusal\":\"n\\\"o\", \"type\":\"refusal\"}", "{\"type\":\"refusal\",\"refusal\":\"\"}") + "}");

        assertThat(fixture.pool.template().lastApplied().messages()).isEqualTo("[{\"role\":\"system\",\"content\":\"s\"},"
                + history.formatted("{\"type\":\"text\",\"text\":\"n\\\"o\"}", "{\"type\":\"text\",\"text\":\"\"}").substring(1));
    }

    @Test
    void aLastMessageOfTheAssistantIsContinued() {
        ChatFixture fixture = ChatFixture.answering("x");
        fixture.ask(Endpoint.CHAT_COMPLETIONS, "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"So\"}]}");
        assertThat(fixture.pool.template().lastApplied().continueFinalMessage()).isTrue();
        assertThat(fixture.pool.template().lastApplied().addGenerationPrompt()).isFalse();

        fixture.chat("");
        assertThat(fixture.pool.template().lastApplied().continueFinalMessage()).isFalse();
        assertThat(fixture.pool.template().lastApplied().addGenerationPrompt()).isTrue();
    }

    @Test
    void aCallThatWasCutOffIsNamedWhereTheTemplateRefusesIt() {
        String call = "{\"type\":\"function\",\"function\":{\"name\":\"a\",\"arguments\":\"%s\"}}";
        String messages = "[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"assistant\",\"tool_calls\":[" + call.formatted("{}") + "," + call.formatted("") + ","
                + call.formatted(" \\n") + "," + call + "]}]";
        for (String cut : new String[] {"{\\\"a\\\": \\\"b", "5", "{", "x"}) {
            AgentException refused = refusal(messages.formatted("raise", cut));
            assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
            assertThat(refused.param()).contains("messages");
            assertThat(refused).hasMessageContaining("messages[1].tool_calls[3].function.arguments");
            ChatFixture.answering("x").ask(Endpoint.CHAT_COMPLETIONS, "{\"messages\":" + messages.formatted("takes it", cut) + "}");
        }
        assertThat(refusal(messages.formatted("raise", "{\\\"a\\\": 1}")).code()).isEqualTo(ErrorCode.TEMPLATE_FAILED);
    }

    @Test
    void nestingTwentyThousandDeepIsRefusedWhereverItIs() {
        String deep = "[".repeat(20_000) + "]".repeat(20_000);
        ChatFixture fixture = ChatFixture.answering("x");
        assertThat(fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{\"messages\":" + deep + "}").code()).isEqualTo(ErrorCode.INVALID_JSON);
        assertThat(fixture.chatRefusal("\"json_schema\":{\"a\":" + deep + "}").code()).isEqualTo(ErrorCode.INVALID_JSON);
        assertThat(fixture.chatRefusal("\"tools\":" + deep).code()).isEqualTo(ErrorCode.INVALID_JSON);
        assertThat(fixture.chatRefusal("\"anything\":" + deep).code()).isEqualTo(ErrorCode.INVALID_JSON);
        AgentException refused = refusal("[{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"arguments\":\"" + deep + "\"}}]}]");
        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refused).hasMessageContaining("deeper than 200");
        assertThat(refusal("[{\"role\":\"tool\",\"content\":\"" + "[".repeat(20_000) + "\"}]").code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void aTemplateThatRaisesIsTheCallersError() {
        assertThat(refusal("[{\"role\":\"user\",\"content\":\"raise\"}]").code()).isEqualTo(ErrorCode.TEMPLATE_FAILED);
    }

    @Test
    void anUnknownModelIsToldByName() {
        ChatFixture fixture = ChatFixture.answering("x");
        AgentException refused = fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{\"model\":\"other\"," + HELLO + "}");

        assertThat(refused.code()).isEqualTo(ErrorCode.UNKNOWN_MODEL);
        assertThat(refused.param()).contains("model");
        assertThat(refused).hasMessage("model 'other' is not available on this node");
        assertThat(fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{\"model\":\"" + "m".repeat(600) + "\"," + HELLO + "}").code()).isEqualTo(ErrorCode.UNKNOWN_MODEL);
    }

    @Test
    void theOnlyModelIsTakenWhenNoneIsNamed() {
        assertThat(ChatFixture.answering("x").ask(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + "}").json().path("model").textValue()).isEqualTo("demo");
        AgentException refused = new ChatFixture("demo", "embed").refusal(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + "}");
        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refused.param()).contains("model");
    }

    @Test
    void aPromptBeyondTheContextIsToldWithBothNumbers() {
        AgentException refused = refusal("[{\"role\":\"user\",\"content\":\"" + "a".repeat(5000) + "\"}]");

        assertThat(refused.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
        assertThat(refused).hasMessageContaining("4096");
    }

    private static AgentException refusal(String messages) {
        return ChatFixture.answering("x").refusal(Endpoint.CHAT_COMPLETIONS, "{\"messages\":" + messages + "}");
    }
}
