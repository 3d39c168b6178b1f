package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator.End;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator.Node;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Drives the link against the scripted coordinator, which writes down whatever is not in the protocol. */
@Tag("native") // libsodium
@Timeout(120)
class CoordinatorLinkTest {
    @TempDir
    Path folder;

    private final AtomicReference<Duration> slept = new AtomicReference<>(Duration.ZERO);
    private final InstantSource wall = () -> Instant.now().plus(slept.get());
    private FakeCoordinator coordinator;
    private TestNode node;
    private CoordinatorLink link;
    private long contents;

    @BeforeEach
    void open() {
        contents = Content.openCount();
        coordinator = FakeCoordinator.open();
        node = new TestNode(folder);
    }

    @AfterEach
    void close() {
        if (link != null) {
            link.close();
        }
        coordinator.close();
        node.close();
        assertThat(coordinator.violations()).isEmpty();
        assertThat(node.answering).hasValue(0);
        await().untilAsserted(() -> assertThat(Content.openCount()).isEqualTo(contents));
    }

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
        seen.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1]);

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

    @Test
    void aDrainingNodeRefusesWhatIsNewAndFinishesWhatRuns() throws Exception {
        Node seen = connect();
        Asked held = seen.ask("hold");
        held.awaitChunk();

        assertThat(link.drain(Duration.ofMillis(10))).isFalse();
        Asked late = seen.ask("say 1");

        assertThat(late.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(503);
            assertThat(failed.reason()).isEqualTo("draining");
            assertThat(failed.error()).isEqualTo("provider draining for update");
        });
        assertThat(seen.heartbeat(report -> report.path("status").asText().equals("draining"))).isNotNull();
        assertThat(link.status().state()).isEqualTo(LinkState.DRAINING);
        seen.cancel(held.id());
        assertThat(link.drain(Duration.ofSeconds(10))).isTrue();
        link.close();
        assertThat(seen.connection().awaitEnd()).isEqualTo("1000");
        assertThat(link.status().state()).isEqualTo(LinkState.STOPPED);
    }

    @Test
    void moreRequestsThanItTakesAreRefusedAsBusy() {
        var limits = new RequestDesk.Limits(2, Duration.ofSeconds(60), Duration.ofSeconds(60));
        start(Optional.empty(), withDesk(limits));
        Node seen = coordinator.awaitNode();
        Asked first = seen.ask("hold");
        Asked second = seen.ask("hold");
        first.awaitChunk();
        second.awaitChunk();

        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(503);
            assertThat(failed.reason()).isEqualTo("queue_full");
        });
    }

    @Test
    void whatCannotBeginInTimeIsGivenUp() {
        Asked asked = connect().ask(UUID.randomUUID().toString(), "wait", Optional.of("\"first_content_budget_ms\":50"));

        assertThat(asked.awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(503);
            assertThat(failed.reason()).isEqualTo("deadline_unreachable");
        });
    }

    @ParameterizedTest
    @CsvSource({"wait, prefill_stall", "hold, decode_stall"})
    void whatMakesNoProgressIsGivenUp(String what, String cause) {
        start(Optional.empty(), withDesk(new RequestDesk.Limits(10, Duration.ofMillis(100), Duration.ofMillis(100))));

        assertThat(coordinator.awaitNode().ask(what).awaitEnd()).isInstanceOfSatisfying(End.Failed.class, failed -> {
            assertThat(failed.status()).isEqualTo(504);
            assertThat(failed.message().path("terminal_cause").asText()).isEqualTo(cause);
        });
    }

    @Test
    void aRestartedCoordinatorIsFoundAgainAndWhatRanIsDropped() {
        Asked held = connect().ask("hold");
        held.awaitChunk();

        coordinator.restart();

        assertThat(held.awaitEnd()).isInstanceOf(End.Lost.class);
        Node again = coordinator.awaitNode();
        assertThat(again.registration().path("public_key").asText()).isEqualTo(node.keys.publicKey());
        assertThat(again.ask("say 2").awaitEnd()).isInstanceOf(End.Complete.class);
        await().untilAsserted(() -> assertThat(link.inFlight()).isZero());
        assertThat(again.heartbeat(report -> report.path("stats").path("requests_served").asInt() == 1)).isNotNull();
    }

    @ParameterizedTest
    @CsvSource({"1000, goodbye", "1008, protocol violation", "1009, read limited at 10485761 bytes", "1013, later", "1011, ''", "1001, ''"})
    void everyCloseCodeLeadsBack(int code, String reason) {
        Node seen = connect();
        seen.connection().close(code, reason);

        assertThat(coordinator.awaitNode().ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.status().lastEnd().orElseThrow().detail()).contains(Integer.toString(code));
    }

    @Test
    void anotherAgentOfThisMachineEndsInANamedStateAndNotInADuel() {
        connect().connection().close(1000, "replaced by new connection from same device");
        coordinator.awaitNode().connection().close(1000, "replaced by new connection from same device");

        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.REPLACED));
        assertThat(coordinator.awaitNode(500)).isEmpty();
        link.renew();
        assertThat(coordinator.awaitNode().ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @ParameterizedTest
    @CsvSource({"401, UNAUTHORIZED", "403, UNAUTHORIZED", "426, OUTDATED", "404, NOT_A_COORDINATOR", "503, WAITING"})
    void aRefusedHandshakeIsANamedStateAndIsTriedAgainInPeace(int status, LinkState state) {
        coordinator.peer().refuseWith(status);
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(state));
        assertThat(link.status().nextAttempt()).isPresent();
        coordinator.peer().refuseWith(0);
        link.renew();
        coordinator.awaitNode();
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
    }

    @Test
    void aConnectionWithoutPongsIsGivenUp() {
        Node seen = connect();
        seen.connection().ignorePings();

        coordinator.awaitNode();
        assertThat(link.status().lastEnd().orElseThrow().detail()).startsWith("no pong");
    }

    @Test
    void aMachineThatSleptConnectsAnew() {
        Node seen = connect();
        seen.heartbeat();

        slept.set(Duration.ofSeconds(100));

        coordinator.awaitNode();
        assertThat(link.status().lastEnd().orElseThrow().kind()).isEqualTo(LinkEnd.Kind.SLEPT);
    }

    @Test
    void aClockThatIsSetBackChangesNothing() {
        Node seen = connect();
        seen.heartbeat();

        slept.set(Duration.ofHours(-5));

        seen.heartbeat();
        seen.heartbeat();
        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.status().lastEnd()).isEmpty();
    }

    @Test
    void aNodeThatTheListForgetsConnectsAnew() {
        var listed = new AtomicReference<>("");
        coordinator.peer().servePages(request -> request.uri().equals("/v1/providers/attestation")
                ? Optional.of("{\"providers\":" + listed.get() + "}") : Optional.empty());
        String entry = "[{\"se_public_key\":\"" + node.signer.publicKey() + "\",\"status\":\"online\",\"trust_level\":\"self_signed\",\"models\":[\"m\"]}]";
        listed.set(entry);
        connect();
        await().untilAsserted(() -> assertThat(link.status().listed().map(LinkStatus.Listing::trustLevel)).contains("self_signed"));

        listed.set("null");

        coordinator.awaitNode();
        assertThat(link.status().lastEnd().orElseThrow().kind()).isEqualTo(LinkEnd.Kind.FORGOTTEN);
    }

    @Test
    void aNewConnectionIsLookedForInTheListLongBeforeItIsTimeForTheNextLook() {
        coordinator.peer().servePages(request -> request.uri().equals("/v1/providers/attestation")
                ? Optional.of("{\"providers\":[{\"se_public_key\":\"" + node.signer.publicKey() + "\",\"trust_level\":\"self_signed\"}]}")
                : Optional.empty());
        LinkSettings of = settings();
        start(Optional.empty(), new LinkSettings(of.heartbeat(), of.ping(), of.pong(), of.silence(), Duration.ofSeconds(20), true, of.forPerson(),
                of.socket(), of.desk()));
        Node first = coordinator.awaitNode();
        await().untilAsserted(() -> assertThat(link.status().listed()).isPresent());
        Instant connected = link.status().connectedAt().orElseThrow();

        first.connection().close(1011, "");

        await().untilAsserted(() -> {
            assertThat(link.status().connectedAt()).isPresent().get().isNotEqualTo(connected);
            assertThat(link.status().listed()).isPresent();
        });
    }

    @Test
    void aCoordinatorWithoutAListIsNotLeft() {
        Node seen = connect();
        for (int i = 0; i < 5; i++) {
            seen.heartbeat();
        }

        assertThat(link.status().lastEnd()).isEmpty();
        assertThat(link.status().listed()).isEmpty();
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

    @Test
    void hashesThatAreNotAcceptedAreShownUntilTheyAre() {
        Node seen = connect();
        seen.send("{\"type\":\"runtime_status\",\"verified\":false,\"mismatches\":[{\"component\":\"runtime\",\"expected\":\"ab\",\"got\":\"(missing)\"}]}");

        await().untilAsserted(() -> assertThat(link.status().mismatches()).hasSize(1));
        assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED);
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

        seen.send("{\"type\":\"prefetch_model\",\"model_id\":\"m\"}");
        assertThat(seen.other().path("type").asText()).isEqualTo("prefetch_model_status");
        assertThat(seen.other().path("status").asText()).isEqualTo("verified");

        assertThat(link.status().trust().map(LinkStatus.Trust::level)).contains("self_signed");
        assertThat(seen.heartbeat(report -> report.path("backend_capacity").path("capacity_seq").asLong() > 0)).isNotNull();
    }

    @Test
    void aDrainIsSettledWithANewerCoordinator() throws Exception {
        Node seen = connect();
        seen.send("{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}");
        await().untilAsserted(() -> assertThat(link.status().isLater()).isTrue());
        var drained = Thread.ofVirtual().start(() -> {
            try {
                link.drain(Duration.ofSeconds(5));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });

        var drain = seen.other();
        assertThat(drain.path("type").asText()).isEqualTo("provider_drain");
        seen.send("{\"type\":\"provider_drain_ack\",\"request_id\":\"" + drain.path("request_id").asText() + "\"}");

        assertThat(drained.join(Duration.ofMillis(1500))).isTrue();
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
    void aCoordinatorThatReadsSlowlyLosesNothing() {
        Node seen = connect();
        seen.connection().read(false);
        Asked asked = seen.ask("say 3000");
        seen.connection().read(true);

        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(asked.chunks()).hasSize(3000);
    }

    private Node connect() {
        start(Optional.empty(), settings());
        return coordinator.awaitNode();
    }

    private void start(Optional<dev.darkbloom.agent.crypto.DeviceSigner> signer, LinkSettings settings) {
        var parts = new CoordinatorLink.Parts(CoordinatorAddress.parse(coordinator.url()), node, node, node.keys, signer, settings.heartbeat(), "test/1",
                Map.of());
        link = CoordinatorLink.start(parts, settings, NanoClock.SYSTEM, wall, new Random(1));
    }

    private static LinkSettings settings() {
        return new LinkSettings(Duration.ofMillis(50), Duration.ofMillis(100), Duration.ofSeconds(5), Duration.ofSeconds(75), Duration.ofMillis(50), true,
                Duration.ofSeconds(60), SocketSettings.defaults("test/1"), RequestDesk.Limits.DEFAULT);
    }

    private static LinkSettings withDesk(RequestDesk.Limits limits) {
        LinkSettings of = settings();
        return new LinkSettings(of.heartbeat(), of.ping(), of.pong(), of.silence(), of.listing(), false, of.forPerson(), of.socket(), limits);
    }

    private static String sha256(String text) {
        try {
            return java.util.HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA-256")
                    .digest(text.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
