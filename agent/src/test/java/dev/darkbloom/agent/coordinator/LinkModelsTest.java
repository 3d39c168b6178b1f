package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.OfferedModel;
import dev.darkbloom.agent.protocol.ToolConstraints;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** Models that come and go while a node is connected (provider protocol, 17). */
class LinkModelsTest extends LinkTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private Node connectLater() {
        Node seen = connect();
        seen.send("{\"type\":\"trust_status\",\"trust_level\":\"self_signed\",\"status\":\"online\"}");
        seen.heartbeat(report -> report.path("backend_capacity").path("capacity_seq").asLong() > 0);
        return seen;
    }

    private static JsonNode next(Node seen, String type) {
        JsonNode message = seen.other();
        assertThat(message.path("type").asText()).isEqualTo(type);
        return message;
    }

    @Test
    void aBuildThatComesIsToldFromItsBeginningToItsEndAndNotTooOften() {
        Node seen = connect();
        seen.send("{\"type\":\"prefetch_model\",\"model_id\":\"org/n\",\"priority\":3}");

        assertThat(next(seen, "prefetch_model_status").path("status").asText()).isEqualTo("started");
        JsonNode downloading = next(seen, "prefetch_model_status");
        assertThat(downloading.path("status").asText()).isEqualTo("downloading");
        assertThat(downloading.path("model_id").asText()).isEqualTo("org/n");
        assertThat(downloading.path("bytes_done").asLong()).isEqualTo(3);
        assertThat(downloading.path("bytes_total").asLong()).isEqualTo(12);
        assertThat(next(seen, "prefetch_model_status").path("status").asText()).isEqualTo("verified");

        node.hasModel = false;
        seen.send("{\"type\":\"prefetch_model\",\"model_id\":\"org/x\"}");
        assertThat(next(seen, "prefetch_model_status").path("status").asText()).isEqualTo("started");
        JsonNode failed = next(seen, "prefetch_model_status");
        assertThat(failed.path("status").asText()).isEqualTo("failed");
        assertThat(failed.path("error").asText()).isEqualTo("the catalogue has no such build");
    }

    @Test
    void whatIsDesiredIsHandedOnWhole() throws Exception {
        Node seen = connect();
        seen.send("{\"type\":\"desired_models\",\"models\":[{\"model_name\":\"m\",\"desired_build\":\"m-2\",\"previous_build\":\"m-1\","
                + "\"revision\":\"r\",\"aggregate_sha256\":\"ab\"}]}");
        seen.send("{\"type\":\"desired_models\",\"models\":[]}");

        assertThat(node.desired.take()).singleElement().satisfies(one -> {
            assertThat(one.desiredBuild()).isEqualTo("m-2");
            assertThat(one.previousBuild()).contains("m-1");
            assertThat(one.aggregateSha256()).contains("ab");
        });
        assertThat(node.desired.take()).isEmpty();
    }

    @Test
    void aModelThatCameIsToldToACoordinatorThatKnowsOfSuchAndToNoOther() {
        Node seen = connect();
        node.offered.add(OfferedModel.text("n", 2, "Q8_0"));
        link.offersChanged(); // would be seen below, before what is asked for

        seen.send("{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}");
        seen.send("{\"type\":\"capacity_probe\",\"quote_id\":\"q\",\"model\":\"m\",\"prompt_tokens_bucket\":512,\"max_output_tokens\":10}");
        assertThat(next(seen, "capacity_quote").path("quote_id").asText()).isEqualTo("q");
        link.offersChanged();

        JsonNode update = next(seen, "models_update");
        assertThat(update.path("models")).extracting(model -> model.path("id").asText()).containsExactly("m", "n");
    }

    /** The switch runs by a thread of its own, as the service's does. */
    private CompletableFuture<Boolean> replace(Runnable change) {
        var after = new AgentMessage.ModelsUpdate(List.of(OfferedModel.text("n", 2, "Q8_0")), ToolConstraints.NONE);
        return CompletableFuture.supplyAsync(() -> {
            try {
                return link.replace(after, PATIENCE, change::run);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
    }

    private static void acknowledge(Node seen, JsonNode step, boolean accepted, String error) {
        seen.send("{\"type\":\"models_replace_ack\",\"request_id\":\"" + step.path("request_id").asText() + "\",\"drain_request_id\":\""
                + step.path("drain_request_id").asText() + "\",\"validate_only\":" + step.path("validate_only").asBoolean() + ",\"accepted\":" + accepted
                + (error.isEmpty() ? "" : ",\"error\":\"" + error + "\"") + "}");
    }

    private static void acknowledgeDrain(Node seen, JsonNode drain) {
        seen.send("{\"type\":\"provider_drain_ack\",\"request_id\":\"" + drain.path("request_id").asText() + "\"}");
    }

    @Test
    void aSwitchWaitsForWhatRunsRefusesWhatComesAndIsAgreedUponStepByStep() throws Exception {
        Node seen = connectLater();
        Asked running = seen.ask("hold");
        running.awaitChunk();
        CompletableFuture<Boolean> switched = replace(() -> node.offered.set(0, OfferedModel.text("n", 2, "Q8_0")));
        seen.heartbeat(report -> report.path("status").asText().equals("draining"));

        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOfSatisfying(End.Failed.class, end -> {
            assertThat(end.status()).isEqualTo(503);
            assertThat(end.reason()).isEqualTo("draining");
        });
        seen.abandon(running);

        acknowledgeDrain(seen, next(seen, "provider_drain"));
        JsonNode validate = next(seen, "models_replace");
        assertThat(validate.path("validate_only").asBoolean()).isTrue();
        assertThat(validate.path("models")).extracting(model -> model.path("id").asText()).containsExactly("n");
        assertThat(node.offered.getFirst().id()).as("nothing has changed yet").isEqualTo("m");
        acknowledge(seen, validate, true, "");
        JsonNode change = next(seen, "models_replace");
        assertThat(change.path("validate_only").asBoolean()).isFalse();
        assertThat(change.path("request_id")).isEqualTo(validate.path("request_id"));
        assertThat(node.offered.getFirst().id()).isEqualTo("n");
        acknowledge(seen, change, true, "");

        assertThat(switched.get()).isTrue();
        JsonNode ready = next(seen, "models_replace_ready");
        assertThat(ready.path("request_id")).isEqualTo(change.path("request_id"));
        long seq = ready.path("capacity_seq").asLong();
        assertThat(seq).isPositive();
        seen.heartbeat(report -> report.path("backend_capacity").path("capacity_seq").asLong() >= seq
                && !report.path("status").asText().equals("draining"));
        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void aSwitchThatIsRefusedChangesNothingAndWorkGoesOn() throws Exception {
        Node seen = connectLater();
        CompletableFuture<Boolean> switched = replace(() -> {
            throw new AssertionError("nobody agreed");
        });
        acknowledgeDrain(seen, next(seen, "provider_drain"));
        acknowledge(seen, next(seen, "models_replace"), false, "invalid_models");

        assertThat(switched.get()).isFalse();
        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void aSwitchWhoseLastAnswerIsLostRegistersWhatIsThere() throws Exception {
        Node seen = connectLater();
        CompletableFuture<Boolean> switched = replace(() -> node.offered.set(0, OfferedModel.text("n", 2, "Q8_0")));
        acknowledgeDrain(seen, next(seen, "provider_drain"));
        acknowledge(seen, next(seen, "models_replace"), true, "");
        next(seen, "models_replace");
        seen.connection().drop();

        assertThat(switched.get()).isTrue();
        Node again = coordinator.awaitNode();
        assertThat(again.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void towardsAnOlderCoordinatorTheConnectionIsMadeAnew() throws Exception {
        Node seen = connect();
        CompletableFuture<Boolean> switched = replace(() -> node.offered.set(0, OfferedModel.text("n", 2, "Q8_0")));

        assertThat(switched.get()).isTrue();
        assertThat(coordinator.awaitNode()).isNotSameAs(seen);
        assertThat(link.status().lastEnd().orElseThrow().kind()).isEqualTo(LinkEnd.Kind.RENEWED);
    }

    @Test
    void aChangeThatFailsIsToldToWhoAskedAndWorkGoesOn() {
        connect();
        CompletableFuture<Boolean> switched = replace(() -> {
            throw new IllegalStateException("no room");
        });

        assertThat(switched).failsWithin(PATIENCE).withThrowableOfType(ExecutionException.class).withMessageContaining("no room");
        assertThat(coordinator.awaitNode().ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
    }
}
