package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.models.EmbeddedDemo;
import dev.darkbloom.agent.testing.Builds;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.FilePeer;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A coordinator of the later protocol has an agent fetch a build, asks it, and has another take its place; then the agent starts again. */
@Tag("model")
@Timeout(180)
class BuildOnDemandTest {
    private static final String HELLO = "{\"model\":\"%s\",\"max_tokens\":8,\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}";

    @TempDir
    Path folder;

    private static JsonNode next(Node node, String type) {
        JsonNode message = node.other();
        assertThat(message.path("type").asText()).as(message.toString()).isEqualTo(type);
        return message;
    }

    private static void answers(Node node, String build) {
        assertThat(node.ask(HELLO.formatted(build)).awaitEnd()).isInstanceOfSatisfying(End.Complete.class,
                end -> assertThat(end.completionTokens()).isPositive());
    }

    @Test
    void aBuildComesServesAndIsReplaced() throws Exception {
        byte[] model = Files.readAllBytes(EmbeddedDemo.extract(folder.resolve("demo")));
        try (FakeCoordinator coordinator = FakeCoordinator.open(); FilePeer files = FilePeer.open()) {
            for (String build : List.of("org/n-1", "org/n-2")) {
                files.put("/" + Builds.prefix(build) + "/n-00001-of-00001.gguf", model);
            }
            coordinator.peer().servePages(request -> List.of("org/n-1", "org/n-2").stream()
                    .filter(build -> request.uri().equals("/v1/models/catalog/manifest/" + build.replace("/", "%2F")))
                    .findFirst().map(build -> Builds.manifest(build, Map.of("n-00001-of-00001.gguf", model)).toString())
                    .or(Optional::empty));
            String settings = "test_posture = true\nbackend_name = \"mlx-swift\"\ndisk_reserve_gb = 0\nfiles_url = \"" + files.url() + "\"\n";

            try (var agent = AgentProcess.startServing(folder, List.of(), coordinator.url(), settings, "--model", "demo", "--parallel", "2")) {
                Node node = coordinator.awaitNode();
                answers(node, "demo");
                node.send("{\"type\":\"prefetch_model\",\"model_id\":\"org/n-1\"}");
                for (String status = ""; !status.equals("verified");) {
                    JsonNode told = node.other();
                    if (told.path("type").asText().equals("prefetch_model_status")) {
                        status = told.path("status").asText();
                        assertThat(status).as(told.toString()).isIn("started", "downloading", "verified");
                    } else {
                        assertThat(told.path("type").asText()).isEqualTo("models_update");
                        assertThat(told.path("models").path(1).path("id").asText()).isEqualTo("org/n-1");
                    }
                }
                answers(node, "org/n-1");

                node.send("{\"type\":\"desired_models\",\"models\":[{\"model_name\":\"n\",\"desired_build\":\"org/n-2\",\"previous_build\":\"org/n-1\"}]}");
                assertThat(next(node, "models_update").path("models")).hasSize(3);
                answers(node, "org/n-2");
                node.send("{\"type\":\"desired_models\",\"models\":[{\"model_name\":\"n\",\"desired_build\":\"org/n-2\"}]}");
                JsonNode drain = next(node, "provider_drain");
                node.send("{\"type\":\"provider_drain_ack\",\"request_id\":\"" + drain.path("request_id").asText() + "\"}");
                for (boolean validate : new boolean[] {true, false}) {
                    JsonNode replace = next(node, "models_replace");
                    assertThat(replace.path("models")).extracting(one -> one.path("id").asText()).containsExactly("demo", "org/n-2");
                    node.send("{\"type\":\"models_replace_ack\",\"request_id\":\"" + replace.path("request_id").asText() + "\",\"drain_request_id\":\""
                            + drain.path("request_id").asText() + "\",\"validate_only\":" + validate + ",\"accepted\":true}");
                }
                next(node, "models_replace_ready");
                answers(node, "org/n-2");
                assertThat(node.ask(HELLO.formatted("org/n-1")).awaitEnd()).isInstanceOfSatisfying(End.Failed.class,
                        end -> assertThat(end.status()).isEqualTo(404));
                JsonNode status = AgentProcess.JSON.readTree(agent.run("status", "--json")).path("coordinator");
                assertThat(status.path("offered")).extracting(JsonNode::asText).containsExactly("demo", "org/n-2");
                assertThat(status.path("fetches")).extracting(one -> one.path("state").asText()).containsExactly("done", "done");
            }

            try (var _ = AgentProcess.startServing(folder, List.of(), coordinator.url(), settings, "--model", "n", "--parallel", "2")) {
                Node node = coordinator.awaitNode();
                assertThat(node.registration().path("models")).extracting(one -> one.path("id").asText()).containsExactly("org/n-2");
                answers(node, "org/n-2");
            }
            assertThat(coordinator.violations()).isEmpty();
        }
    }
}
