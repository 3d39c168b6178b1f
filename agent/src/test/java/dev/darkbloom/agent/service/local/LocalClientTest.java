package dev.darkbloom.agent.service.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.testing.FakeEndpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class LocalClientTest {
    private static final List<ChatMessage> HELLO = List.of(new ChatMessage(ChatMessage.Role.USER, "Say \"hi\""));

    private FakeEndpoint endpoint;
    private LocalClient client;
    private final StringBuilder heard = new StringBuilder();

    @BeforeEach
    void openTheEndpoint() throws IOException {
        endpoint = new FakeEndpoint();
        client = client("dk-local-x");
    }

    @AfterEach
    void closeTheEndpoint() {
        client.close();
        endpoint.close();
    }

    @Test
    void anAnswerIsHeardPieceByPieceAndItsCountsAreTakenFromTheEnd() {
        endpoint.streams(FakeEndpoint.piece("Hi"), ": a comment", FakeEndpoint.piece(" there"), FakeEndpoint.end("stop"));

        var stats = client.chat("demo", HELLO, OptionalInt.of(9), heard::append);

        assertThat(heard).hasToString("Hi there");
        assertThat(stats).extracting(AnswerStats::finishReason, AnswerStats::promptTokens, AnswerStats::cachedTokens, AnswerStats::generatedTokens,
                AnswerStats::prefillTokensPerSecond, AnswerStats::decodeTokensPerSecond).containsExactly("stop", 20, 12, 7, 800.5, 45.5);
        assertThat(stats.total()).isGreaterThanOrEqualTo(stats.toFirstToken());
        assertThat(endpoint.bodies()).containsExactly("{\"model\":\"demo\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                + "\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"Say \\\"hi\\\"\"}]}");
        assertThat(endpoint.keys()).containsExactly("Bearer dk-local-x");
    }

    @Test
    void anEndpointWithoutKeyIsAskedWithoutOne() {
        try (var open = client("")) {
            assertThat(open.models()).containsExactly("demo", "other");
        }

        assertThat(endpoint.keys()).containsExactly("null");
    }

    @ParameterizedTest
    @CsvSource({"400, INVALID_REQUEST", "401, UNAUTHORIZED", "404, UNKNOWN_MODEL", "503, QUEUE_FULL", "500, GENERATION_FAILED"})
    void aRefusalCarriesTheEndpointsWords(int status, ErrorCode code) {
        endpoint.refuses(status, "{\"error\":{\"message\":\"because of that\"}}").refuses(status, "no JSON");

        assertThatThrownBy(() -> client.chat("demo", HELLO, OptionalInt.empty(), heard::append))
                .isInstanceOf(AgentException.class)
                .hasMessage("because of that")
                .extracting(e -> ((AgentException) e).code()).isEqualTo(code);
        assertThatThrownBy(() -> client.chat("demo", HELLO, OptionalInt.empty(), heard::append))
                .isInstanceOf(AgentException.class)
                .hasMessage("the endpoint answers HTTP " + status);
    }

    @Test
    void anAnswerThatFailsLateIsAnErrorWithWhatWasHeardBefore() {
        endpoint.streams(FakeEndpoint.piece("Hi"), "{\"error\":{\"message\":\"the context was rebuilt\"}}");

        assertThatThrownBy(() -> client.chat("demo", HELLO, OptionalInt.empty(), heard::append))
                .isInstanceOf(AgentException.class)
                .hasMessage("the context was rebuilt");
        assertThat(heard).hasToString("Hi");
    }

    @Test
    void anAnswerCanBeEndedWhileItIsWritten() {
        endpoint.stallsAfter("Hi");

        var stats = client.chat("demo", HELLO, OptionalInt.empty(), text -> {
            heard.append(text);
            Thread.ofVirtual().start(client::cancel);
        });

        assertThat(heard).hasToString("Hi");
        assertThat(stats.finishReason()).isEqualTo("cancelled");
    }

    @Test
    void anEndpointThatIsGoneIsNotRunning() {
        endpoint.close();

        assertThatThrownBy(() -> client.models())
                .isInstanceOf(AgentException.class)
                .extracting(e -> ((AgentException) e).code()).isEqualTo(ErrorCode.NOT_RUNNING);
    }

    @Test
    void aMessagePrintsWithoutItsText() {
        assertThat(HELLO.getFirst().toString()).doesNotContain("hi").contains("characters=8");
    }

    private LocalClient client(String key) {
        return new LocalClient(new LocalEndpoint(endpoint.baseUrl(), new Redacted(key), Path.of("local.json"), Path.of("local_token")));
    }
}
