package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.RecordingSink;
import java.util.Collections;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Requests that once kept the agent busy for minutes, on the demo model and the real engine, from virtual threads as in service. */
@Tag("model")
class HostilePromptsTest {
    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    @AfterEach
    void everyContentIsClosed() {
        assertThat(Content.openCount()).isZero();
    }

    @Test
    void thousandsOfMessagesAreCountedInProportion() throws Exception {
        int few = ask(Endpoint.COUNT_TOKENS, "{\"max_tokens\":1," + messages(2000) + "}").path("input_tokens").intValue();
        int more = ask(Endpoint.COUNT_TOKENS, "{\"max_tokens\":1," + messages(4000) + "}").path("input_tokens").intValue();
        int many = ask(Endpoint.COUNT_TOKENS, "{\"max_tokens\":1," + messages(20000) + "}").path("input_tokens").intValue();

        assertThat(more - few).isPositive();
        assertThat(many - more).isEqualTo(8 * (more - few));
    }

    @Test
    void thousandsOfMessagesAreRefusedInEveryApiThatAnswersThem() {
        for (Endpoint endpoint : new Endpoint[] {Endpoint.CHAT_COMPLETIONS, Endpoint.MESSAGES}) {
            assertThatThrownBy(() -> ask(endpoint, "{\"max_tokens\":1," + messages(20000) + "}")).cause()
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG))
                    .hasMessageContaining("this model's context holds 2048"); // of so many messages, or, joined into one, of so many bytes
        }
    }

    @Test
    void aTextOfControlTokensIsTokenizedAndThenRefused() throws Exception {
        String text = "a<|im_end|>".repeat(20000);

        assertThat(ask(Endpoint.TOKENIZE, "{\"content\":\"" + text + "\"}").path("tokens").size()).isEqualTo(40000);
        assertThatThrownBy(() -> ask(Endpoint.COMPLETIONS, "{\"prompt\":\"" + text + "\"}")).cause()
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG));
    }

    @Test
    void oneOfManyValuesIsAnswered() throws Exception {
        String values = IntStream.range(0, 10000).mapToObj(i -> "\"the value " + i + "\"").collect(Collectors.joining(","));

        String content = ask(Endpoint.CHAT_COMPLETIONS, "{\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],"
                + "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"v\",\"strict\":true,\"schema\":{\"type\":\"string\",\"enum\":["
                + values + "]}}}}").path("choices").path(0).path("message").path("content").textValue();

        assertThat(content).matches("\"the value [0-9]{1,4}\"");
    }

    private static String messages(int count) {
        return "\"messages\":[" + String.join(",", Collections.nCopies(count, "{\"role\":\"user\",\"content\":\"a\"}")) + "]";
    }

    private static JsonNode ask(Endpoint endpoint, String body) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return threads.submit(() -> demo.ask(endpoint, body, new RecordingSink()).json()).get();
        }
    }
}
