package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What else a coordinator says: challenges, notices, messages of newer ones, garbage. */
class LinkMessagesTest extends LinkTest {
    private static final String MISMATCH =
            "{\"type\":\"runtime_status\",\"verified\":false,\"mismatches\":[{\"component\":\"runtime\",\"expected\":\"ab\",\"got\":\"(missing)\"}]}";

    @Test
    void aNodeRegistersAnswersItsChallengeAndReports() {
        Node seen = connect();

        assertThat(seen.registration().path("public_key").asText()).isEqualTo(node.keys.publicKey());
        assertThat(seen.heartbeat().path("status").asText()).isEqualTo("idle");
        assertThat(seen.heartbeat().path("backend_capacity").path("slots").path(0).path("state").asText()).isEqualTo("running");
        assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED);
        assertThat(link.status().lastHeartbeat()).isPresent();
        assertThat(link.status().lastChallenge()).isPresent();
    }

    @Test
    void aSecondChallengeIsAnsweredAndAFloodOfThemDoesNotStopRequests() {
        Node seen = connect();
        seen.challengeAnswer();
        seen.challenge();
        seen.challengeAnswer();

        for (int i = 0; i < 500; i++) {
            seen.challenge();
        }
        assertThat(seen.ask("say 3").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void nothingButAChallengeIsSigned() {
        Node seen = connect();
        seen.challengeAnswer();
        String time = "\"timestamp\":\"2026-05-01T00:00:00Z\"";
        seen.send("{\"type\":\"attestation_challenge\",\"nonce\":\"0123456789abcdef\"," + time + "}");
        seen.send("{\"type\":\"attestation_challenge\",\"nonce\":\"short\"," + time + "}");
        seen.send("{\"type\":\"attestation_challenge\",\"nonce\":\"7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcns=\",\"timestamp\":\"now\"}");

        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.counts().challengesIgnored()).isEqualTo(3);
        seen.challenge();
        seen.challengeAnswer(); // had one of the three been answered, it would be found in violation after the test
    }

    @Test
    void hashesThatAreNotAcceptedAreShownUntilTheyAre() {
        Node seen = connect();
        seen.challengeAnswer();
        seen.send(MISMATCH);
        await().untilAsserted(() -> assertThat(link.status().mismatches()).hasSize(1));
        assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED);

        answerChallenge(seen);
        seen.send(MISMATCH); // still
        seen.ask("say 1").awaitEnd();
        passSeconds(10);
        assertThat(link.status().mismatches()).hasSize(1);

        answerChallenge(seen);
        slept.updateAndGet(before -> before.plus(Duration.ofSeconds(6)));
        await().untilAsserted(() -> assertThat(link.status().mismatches()).isEmpty());
    }

    /** Challenges, and waits until the link has gone on after its answer. */
    private static void answerChallenge(Node seen) {
        seen.challenge();
        seen.challengeAnswer();
        seen.ask("say 1").awaitEnd();
    }

    /** Lets time pass, and waits until the link has looked at its clocks. */
    private void passSeconds(int seconds) {
        slept.updateAndGet(before -> before.plus(Duration.ofSeconds(seconds)));
        Instant woken = Instant.now().plus(slept.get());
        await().untilAsserted(() -> assertThat(link.status().lastHeartbeat().orElseThrow()).isAfter(woken));
    }

    @Test
    void whatACoordinatorSaysOfTrustIsKept() {
        Path kept = folder.resolve("trust");
        CoordinatorRoute route = route(Map.of());
        link = CoordinatorLink.start(new CoordinatorLink.Parts(route, node, node, node.keys, Optional.empty(), settings().heartbeat(), "test/1",
                Optional.of(TrustFile.open(kept, route.address()))), settings(), LinkClocks.ofThisSystem(), new Random(1));

        coordinator.awaitNode().send("{\"type\":\"trust_status\",\"trust_level\":\"hardware\",\"status\":\"online\",\"reason\":\"r\"}");

        await().untilAsserted(() -> assertThat(TrustFile.open(kept, route.address()).latest().map(LinkStatus.Trust::level)).contains("hardware"));
    }

    @Test
    void aNewerCoordinatorIsAnsweredInItsOwnWords() {
        Node seen = connect();
        seen.send("{\"type\":\"trust_status\",\"trust_level\":\"self_signed\",\"status\":\"online\",\"reason\":\"r\"}");
        seen.send("{\"type\":\"capacity_probe\",\"quote_id\":\"q\",\"model\":\"m\",\"prompt_tokens_bucket\":512,\"max_output_tokens\":10}");
        assertThat(seen.other().path("quote_id").asText()).isEqualTo("q");

        seen.send("{\"type\":\"load_model\",\"model_id\":\"m\"}");
        assertThat(seen.other().path("status").asText()).isEqualTo("started");
        assertThat(seen.other().path("status").asText()).isEqualTo("succeeded");

        node.loadProblem = "no room";
        seen.send("{\"type\":\"load_model\",\"model_id\":\"m\"}");
        assertThat(seen.other().path("status").asText()).isEqualTo("started");
        assertThat(seen.other().path("error").asText()).isEqualTo("no room");

        assertThat(link.status().trust().map(LinkStatus.Trust::level)).contains("self_signed");
        assertThat(seen.heartbeat(report -> report.path("backend_capacity").path("capacity_seq").asLong() > 0)).isNotNull();
    }

    @Test
    void garbageAndUnknownMessagesAreCountedAndChangeNothing() {
        Node seen = connect();
        seen.send("no json");
        seen.send("{\"type\":\"of_the_future\",\"x\":1}");
        seen.send("[]");
        seen.send("{}");
        seen.send("{\"type\":\"cancel\"}");
        seen.send("{\"type\":\"inference_request\"}");

        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.status().traffic().unknownTypes()).isEqualTo(1);
        assertThat(link.status().traffic().malformed()).isGreaterThanOrEqualTo(4);
    }
}
