package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a link does not take, or gives up: drains, too many requests, deadlines. */
class LinkLimitsTest extends LinkTest {
    private static final Duration SLICE = Duration.ofMillis(20);

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
    void aDrainIsSettledWithANewerCoordinatorAfterWhatRunsHasEnded() throws Exception {
        Node seen = connectToNewer();
        Asked held = seen.ask("hold");
        held.awaitChunk();

        assertThat(link.drain(SLICE)).isFalse();
        JsonNode drain = seen.other();
        assertThat(drain.path("type").asText()).isEqualTo("provider_drain");
        assertThat(link.drain(SLICE)).isFalse();
        seen.cancel(held.id());
        await().until(() -> link.inFlight() == 0);
        assertThat(link.drain(SLICE)).isFalse(); // not settled yet
        assertThat(link.drain(SLICE)).isFalse();
        seen.send("{\"type\":\"provider_drain_ack\",\"request_id\":\"of something else\"}");
        assertThat(link.drain(SLICE)).isFalse();
        acknowledge(seen, drain);

        assertThat(drainInSlices()).isTrue();
        seen.send("{\"type\":\"capacity_probe\",\"quote_id\":\"q\",\"model\":\"m\",\"prompt_tokens_bucket\":512,\"max_output_tokens\":10}");
        assertThat(seen.other().path("type").asText()).isEqualTo("capacity_quote"); // the drain was announced once
    }

    @Test
    void aConnectionThatEndsHasNothingToSettle() throws Exception {
        Node seen = connectToNewer();
        assertThat(link.drain(SLICE)).isFalse();

        seen.connection().close(1013, "later");
        await().untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());

        assertThat(link.drain(Duration.ofSeconds(60))).isTrue();
    }

    @Test
    void anAcknowledgementIsNotWaitedForWhenTheConnectionHasEnded() throws Exception {
        Node seen = connectToNewer();
        var result = new CompletableFuture<Boolean>();
        Thread.ofVirtual().start(() -> {
            try {
                result.complete(link.drain(Duration.ofSeconds(100)));
            } catch (InterruptedException e) {
                result.completeExceptionally(e);
            }
        });
        seen.other();

        seen.connection().close(1013, "later");

        assertThat(result.get(20, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void anOlderCoordinatorIsNotAskedToSettle() throws Exception {
        connect();

        assertThat(link.drain(Duration.ofSeconds(60))).isTrue();
    }

    private Node connectToNewer() {
        Node seen = connect();
        seen.send("{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}");
        await().untilAsserted(() -> assertThat(link.status().isLater()).isTrue());
        return seen;
    }

    private static void acknowledge(Node seen, JsonNode drain) {
        seen.send("{\"type\":\"provider_drain_ack\",\"request_id\":\"" + drain.path("request_id").asText() + "\"}");
    }

    /** Drains as the agent does, which looks up now and then whether somebody has become more impatient. */
    private boolean drainInSlices() throws InterruptedException {
        for (int i = 0; i < 1000; i++) {
            if (link.drain(SLICE)) {
                return true;
            }
        }
        return false;
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
    void aNewerCoordinatorIsToldByWhichLimitItWasRefusedAndUntilWhen() throws Exception {
        Node seen = connect();
        JsonNode toOlder = failure(seen.ask("busy"));
        assertThat(toOlder.has("rejection_reason")).isFalse();
        assertThat(toOlder.has("available_token_budget")).isFalse();

        seen.send("{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}");
        seen.heartbeat(report -> report.path("backend_capacity").path("capacity_seq").asLong() > 0);
        JsonNode told = failure(seen.ask("busy"));
        assertThat(told.path("rejection_reason").asText()).isEqualTo("slot_state");
        assertThat(told.path("available_token_budget").asLong()).isEqualTo(37);
        assertThat(told.path("feasible_after_ms").asLong()).isEqualTo(1500);
        assertThat(told.path("capacity_seq").asLong()).isPositive();
        assertThat(failure(seen.ask("nonsense")).has("rejection_reason")).isFalse();

        link.drain(SLICE);
        JsonNode drained = failure(seen.ask("say 1"));
        assertThat(drained.path("rejection_reason").asText()).isEqualTo("slot_state");
        assertThat(drained.has("available_token_budget")).isFalse(); // which model it is for was not looked at
    }

    private static JsonNode failure(Asked asked) {
        return ((End.Failed) asked.awaitEnd()).message();
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
}
