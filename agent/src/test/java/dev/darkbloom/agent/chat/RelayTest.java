package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests as a coordinator passes them on (provider protocol, 7 and 8). */
class RelayTest {
    private static final String CHAT = "{\"model\":\"demo\"," + ChatFixture.HELLO + ",\"max_tokens\":8192";

    @Test
    void aBodyWithoutAnEndpointIsAChat() {
        JsonNode json = relay(ChatFixture.answering("Hello"), CHAT + "}").json();

        assertThat(json.path("object").textValue()).isEqualTo("chat.completion");
        assertThat(json.path("choices").path(0).path("message").path("content").textValue()).isEqualTo("Hello");
    }

    @Test
    void aWholeTextCompletionReadsAsAChatCompletionToo() {
        JsonNode json = relay(ChatFixture.answering(" \"world\""),
                "{\"model\":\"demo\",\"prompt\":\"Hello\",\"max_tokens\":8192,\"endpoint\":\"/v1/completions\"}").json();

        assertThat(json.path("object").textValue()).isEqualTo("chat.completion");
        JsonNode choice = json.path("choices").path(0);
        assertThat(choice.path("text").textValue()).isEqualTo(" \"world\"");
        assertThat(choice.path("message").path("content").textValue()).isEqualTo(" \"world\"");
        assertThat(choice.path("message").path("role").textValue()).isEqualTo("assistant");
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
    }

    @Test
    void aStreamedTextCompletionIsLetThroughAsItIs() {
        RecordingSink sink = relay(ChatFixture.answering(" world"),
                "{\"model\":\"demo\",\"prompt\":\"Hello\",\"stream\":true,\"endpoint\":\"/v1/completions\"}");

        assertThat(sink.events().getFirst().path("object").textValue()).isEqualTo("text_completion");
    }

    @Test
    void aWholeMessageSaysThatItIsAResponse() {
        JsonNode json = relay(ChatFixture.answering("Hello"), CHAT + ",\"endpoint\":\"/v1/messages\"}").json();

        assertThat(json.path("type").textValue()).isEqualTo("message");
        assertThat(json.path("object").textValue()).isEqualTo("response");
        assertThat(json.path("model").textValue()).isEqualTo("demo");
        assertThat(json.path("content").path(0).path("text").textValue()).isEqualTo("Hello");
    }

    @Test
    void theLocalEndpointsFormsStayAsTheyAre() {
        JsonNode text = ChatFixture.answering("x").ask(Endpoint.COMPLETIONS, "{\"model\":\"demo\",\"prompt\":\"Hello\"}").json();
        JsonNode message = ChatFixture.answering("x").ask(Endpoint.MESSAGES, CHAT + "}").json();

        assertThat(text.path("object").textValue()).isEqualTo("text_completion");
        assertThat(text.path("choices").path(0).has("message")).isFalse();
        assertThat(message.has("object")).isFalse();
    }

    @Test
    void whatCoordinatorsLeaveInABodyIsIgnored() {
        JsonNode json = relay(ChatFixture.answering("Hello"), CHAT + ",\"store\":true,\"previous_response_id\":\"resp_1\",\"metadata\":{\"a\":1},"
                + "\"user\":\"u\",\"provider_serial\":\"x\",\"service_tier\":\"auto\",\"truncation\":\"auto\",\"_darkbloom_prompt_date\":\"2026-05-01\"}").json();

        assertThat(json.path("choices").path(0).path("message").path("content").textValue()).isEqualTo("Hello");
    }

    @Test
    void instructionsAreTheFirstSystemMessage() {
        var fixture = ChatFixture.answering("Hello");
        relay(fixture, CHAT + ",\"instructions\":\"Be brief.\"}");

        assertThat(String.join("", fixture.pool.prompts())).contains("Be brief.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"n\":2", "\"endpoint\":\"/v1/embeddings\"", "\"endpoint\":7"})
    void whatCannotBeRelayedIsRefused(String member) {
        assertThatThrownBy(() -> relay(ChatFixture.answering("x"), CHAT + "," + member + "}"))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
    }

    @Test
    void aFailureAfterTheFirstEventIsThrownToASinkThatTakesIt() {
        var fixture = ChatFixture.answering(new Script(new int[] {'H', 'i'}, 1, 0, new Outcome.Failed(new AgentException(ErrorCode.NO_KV_SPACE, "no room"))));
        var sink = new RecordingSink().takingFailures();

        assertThatThrownBy(() -> relay(fixture, CHAT + ",\"stream\":true}", sink))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.NO_KV_SPACE));
        assertThat(sink.hasBegun()).isTrue();
        assertThat(sink.events()).noneMatch(event -> event.has("error"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[\"Hello\",\"there\"]", "[[72],[73]]", "[\"Hello\",[72]]"})
    void severalPromptsAreRefusedBecauseACoordinatorSettlesOneAnswer(String prompts) {
        assertThatThrownBy(() -> relay(ChatFixture.answering("x"), completion(prompts)))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[\"Hello\"]", "[72,73]", "[[72,73]]"})
    void anArrayOfOnePromptIsOne(String prompts) {
        assertThat(relay(ChatFixture.answering("x"), completion(prompts)).json().path("choices")).hasSize(1);
    }

    private static String completion(String prompt) {
        return "{\"model\":\"demo\",\"prompt\":" + prompt + ",\"max_tokens\":8192,\"endpoint\":\"/v1/completions\"}";
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ",\"endpoint\":\"/v1/completions\",\"prompt\":\"x\"", ",\"endpoint\":\"/v1/messages\""})
    void aSinkMayRefuseBeforeTheModelIsLoaded(String members) {
        var fixture = ChatFixture.answering("x");
        var sink = new RecordingSink().refusing(new AgentException(ErrorCode.DEADLINE_EXCEEDED, "too late"));

        assertThatThrownBy(() -> relay(fixture, CHAT + members + "}", sink))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED));
        assertThat(sink.chosen()).isEqualTo("demo");
        assertThat(fixture.pool.acquired()).isZero();
    }

    @Test
    void tokensThatMakeNoEventAreToldToTheSink() {
        assertThat(relay(ChatFixture.answering("Hello"), CHAT + "}").progress()).isPositive();
    }

    private static RecordingSink relay(ChatFixture fixture, String body) {
        return relay(fixture, body, new RecordingSink());
    }

    private static RecordingSink relay(ChatFixture fixture, String body, RecordingSink sink) {
        long before = Content.openCount();
        try (Content content = OffHeap.body(body)) {
            fixture.completions.relay(new RequestId("r1"), content, sink);
        } finally {
            assertThat(Content.openCount()).isEqualTo(before);
            assertThat(fixture.pool.leftOpen()).isZero();
        }
        return sink;
    }
}
