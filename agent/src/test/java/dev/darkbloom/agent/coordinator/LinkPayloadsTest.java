package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests whose envelope is wrong: changed, cut, repeated, in the clear. */
class LinkPayloadsTest extends LinkTest {
    @ParameterizedTest
    @CsvSource({"tampered", "truncated", "wrong-key", "no-base64", "no-key"})
    void aPayloadThatCannotBeOpenedIsAnErrorOfTheRequestAndCounted(String how) {
        Node seen = connect();
        String[] sealed = seen.sealed("say 1");
        String[] other = seen.sealed("say 1");
        String key = sealed[0];
        String text = sealed[1];
        switch (how) {
            case "tampered" -> text = text.substring(0, 50) + (text.charAt(50) == 'A' ? 'B' : 'A') + text.substring(51);
            case "truncated" -> text = text.substring(0, 40);
            case "wrong-key" -> key = other[0];
            case "no-base64" -> text = "!" + text.substring(1);
            case "no-key" -> key = "AAAA";
            default -> throw new IllegalArgumentException(how);
        }

        Asked asked = seen.askSealed(UUID.randomUUID().toString(), key, text);

        assertThat(asked.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(400);
            assertThat(failed.code()).isEqualTo("encryption_failure");
        });
        await().untilAsserted(() -> assertThat(link.status().traffic().notOpened()).isEqualTo(1));
    }

    @Test
    void aRecordedRequestIsNotAnsweredTwice() {
        Node seen = connect();
        String[] sealed = seen.sealed("fail 0"); // an answer would be sealed for a key that is gone
        Asked first = seen.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1]);
        assertThat(first.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> assertThat(failed.code()).isEqualTo("invalid_request"));

        Asked again = seen.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1]);

        assertThat(again.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> assertThat(failed.code()).isEqualTo("encryption_failure"));
    }

    @Test
    void anIdThatRunsOrRanIsRefused() {
        Node seen = connect();
        Asked first = seen.ask("say 1");
        first.awaitEnd();

        assertThat(seen.ask(first.id(), "say 1", Optional.empty()).awaitEnd())
                .isInstanceOfSatisfying(End.Failed.class, failed -> assertThat(failed.status()).isEqualTo(400));

        Asked held = seen.ask("hold");
        held.awaitChunk();
        String[] sealed = seen.sealed("say 1");
        seen.send("{\"type\":\"inference_request\",\"request_id\":\"" + held.id() + "\",\"encrypted_body\":{\"ephemeral_public_key\":\"" + sealed[0]
                + "\",\"ciphertext\":\"" + sealed[1] + "\"}}");
        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(held.hasEnded()).isFalse();
        assertThat(held.chunks()).hasSize(1);
    }

    @Test
    void aRequestInTheClearIsRefused() {
        Node seen = connect();
        Asked asked = seen.ask("say 0");
        asked.awaitEnd();
        seen.send("{\"type\":\"inference_request\",\"request_id\":\"clear-1\",\"body\":{\"messages\":[]}}");

        await().untilAsserted(() -> assertThat(link.status().traffic().failed()).isEqualTo(1));
    }
}
