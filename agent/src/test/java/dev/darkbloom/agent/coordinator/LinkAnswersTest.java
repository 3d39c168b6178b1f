package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests through a link: what is answered, and how what fails is told. */
class LinkAnswersTest extends LinkTest {
    @Test
    void anAnswerComesInSealedChunksAndEndsWithItsUsage() {
        Asked asked = connect().ask("say 5");

        End end = asked.awaitEnd();

        assertThat(asked.text()).isEqualTo("0 1 2 3 4 ");
        assertThat(end).isInstanceOfSatisfying(End.Complete.class, complete -> {
            assertThat(complete.promptTokens()).isEqualTo(3);
            assertThat(complete.completionTokens()).isEqualTo(5);
            assertThat(complete.message().path("usage").path("cached_tokens").asInt()).isEqualTo(1);
            assertThat(complete.message().has("response_hash")).isFalse();
        });
        await().untilAsserted(() -> assertThat(link.status().traffic().served()).isEqualTo(1));
        assertThat(link.status().traffic().tokens()).isEqualTo(5);
    }

    @Test
    void whenARequestWasLastAnsweredHoldsForItsConnectionOnly() {
        Node first = connect();
        assertThat(first.ask("fail 0").awaitEnd()).isInstanceOf(End.Failed.class);
        assertThat(link.status().lastServed()).isEmpty();

        first.ask("say 1").awaitEnd();
        await().untilAsserted(() -> assertThat(link.status().lastServed()).isPresent());

        first.send("{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}");
        await("what was proved at another level is proved no more").untilAsserted(() -> assertThat(link.status().lastServed()).isEmpty());
        first.ask("say 1").awaitEnd();
        await().untilAsserted(() -> assertThat(link.status().lastServed()).isPresent());

        link.renew();
        coordinator.awaitNode();
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
        assertThat(link.status().lastServed()).isEmpty();
    }

    @Test
    void aWholeAnswerIsOneChunk() {
        Asked asked = connect().ask("document");

        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(asked.chunks()).containsExactly("data: {\"object\":\"chat.completion\"}");
    }

    @Test
    void signedAnswersCarryAHashThatTheNodesKeySigned() {
        start(Optional.of(node.signer), settings());
        Asked asked = coordinator.awaitNode().ask("say 2");

        var message = ((End.Complete) asked.awaitEnd()).message();

        String body = String.join("", asked.chunks());
        assertThat(message.path("response_hash").asText()).isEqualTo(sha256(asked.id() + ":2:" + body));
        assertThat(message.path("se_signature").asText()).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    void aFailureIsToldWithItsCodeWheneverItComes(int chunksBefore) {
        Asked asked = connect().ask("fail " + chunksBefore);

        assertThat(asked.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(400);
            assertThat(failed.code()).isEqualTo("invalid_request");
            assertThat(failed.reason()).isEqualTo("request_exceeds_context");
        });
        assertThat(asked.chunks()).hasSize(chunksBefore);
    }

    @Test
    void aDefectOfOursEndsOneRequestAndQuotesNothing() {
        Node seen = connect();
        Asked asked = seen.ask("defect");

        assertThat(asked.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(500);
            assertThat(failed.message().toString()).doesNotContain("secret");
        });
        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void anAnswerThatNoCoordinatorReadsIsRefusedAndTheConnectionStays() {
        Node seen = connect();
        Asked asked = seen.ask("huge 9000000");

        assertThat(asked.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> assertThat(failed.status()).isEqualTo(413));
        assertThat(seen.connection().isOpen()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"hold", "wait"})
    void aCancelEndsTheWorkAndIsNotAnswered(String phase) {
        Node seen = connect();
        Asked asked = seen.ask(phase);
        asked.awaitAccepted();
        if (phase.equals("hold")) {
            asked.awaitChunk();
        }

        seen.cancel(asked.id());

        await().untilAsserted(() -> assertThat(link.inFlight()).isZero());
        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class); // what would have been answered comes before this
        assertThat(asked.hasEnded()).isFalse();
        assertThat(seen.heartbeat(report -> report.path("stats").path("cancellations_received").asInt() == 1)).isNotNull();
    }

    @Test
    void cancelsThatComeTwiceEarlyOrForNothingAreIgnored() {
        Node seen = connect();
        seen.cancel(UUID.randomUUID().toString());
        Asked asked = seen.ask("hold");
        asked.awaitChunk();
        seen.cancel(asked.id());
        seen.cancel(asked.id());

        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(seen.connection().isOpen()).isTrue();
    }

    @Test
    void aCoordinatorThatReadsSlowlyLosesNothing() {
        Node seen = connect();
        seen.connection().read(false);
        Asked asked = seen.ask("say 3000");
        seen.connection().read(true);

        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(asked.chunks()).hasSize(3000);
    }

    private static String sha256(String text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256")
                    .digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
