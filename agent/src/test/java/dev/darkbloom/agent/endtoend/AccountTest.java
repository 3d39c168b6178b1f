package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.Node;
import io.netty.handler.codec.http.FullHttpRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code login} and {@code logout} while an agent runs: the coordinator hears of the account at once. */
@Tag("model")
@Timeout(120)
class AccountTest {
    private static final String TOKEN = "eigeninference-pt-0123456789abcdef";

    @TempDir
    Path folder;

    private static Optional<String> page(FullHttpRequest request) {
        return switch (request.uri()) {
            case "/v1/device/code" -> Optional.of("{\"device_code\":\"d3v1ce\",\"user_code\":\"E5K8-QDSC\","
                    + "\"verification_uri\":\"https://c.example/link\",\"expires_in\":60,\"interval\":1}");
            case "/v1/device/token" -> Optional.of("{\"status\":\"authorized\",\"token\":\"" + TOKEN + "\"}");
            default -> Optional.empty();
        };
    }

    @Test
    void theRunningAgentRegistersAnewWithTheAccountAndWithoutIt() throws Exception {
        try (FakeCoordinator coordinator = FakeCoordinator.open()) {
            coordinator.peer().servePages(AccountTest::page);
            try (var agent = AgentProcess.startServing(folder, List.of(), coordinator.url(), "test_posture = true\n", "--model", "demo",
                    "--parallel", "2")) {
                Node before = coordinator.awaitNode();
                assertThat(before.registration().has("auth_token")).isFalse();

                assertThat(agent.run("login", "--coordinator-url", coordinator.url())).contains("this machine belongs to");

                Node bound = coordinator.awaitNode();
                assertThat(bound.registration().path("auth_token").asText()).isEqualTo(TOKEN);
                assertThat(before.connection().awaitEnd()).isEqualTo("1000");

                assertThat(agent.run("logout")).contains("belongs to no account any more");

                assertThat(coordinator.awaitNode().registration().has("auth_token")).isFalse();
            }
            assertThat(coordinator.violations()).isEmpty();
        }
    }

    @Test
    void aDamagedTokenIsNamedWhileEverythingElseIsAnsweredAndALoginMendsIt() throws Exception {
        try (FakeCoordinator coordinator = FakeCoordinator.open()) {
            coordinator.peer().servePages(AccountTest::page);
            Path token = folder.resolve("home/account_token");
            Files.createDirectories(token.getParent());
            Files.writeString(token, "no token at all\n");
            try (var agent = AgentProcess.startServing(folder, List.of(), coordinator.url(), "test_posture = true\n", "--model", "demo",
                    "--parallel", "2")) {
                Awaitility.await().until(() -> agent.run("status", "--json").contains("\"state\" : \"not-set-up\""));
                assertThat(agent.run("status")).contains("account_token does not hold").contains("run: darkbloom-agent login");
                assertThat(agent.run("doctor")).containsPattern("warn +login +.*account_token does not hold").contains("FAIL  network");

                agent.run("login", "--coordinator-url", coordinator.url());

                assertThat(coordinator.awaitNode().registration().path("auth_token").asText()).isEqualTo(TOKEN);
            }
        }
    }

    @Test
    void theTokenOfOneCoordinatorIsNotShownToAnother() throws Exception {
        try (FakeCoordinator coordinator = FakeCoordinator.open()) {
            Path token = folder.resolve("home/account_token");
            Files.createDirectories(token.getParent());
            Files.writeString(token, "wss://a.example/ws/provider\n" + TOKEN + "\n");
            try (var agent = AgentProcess.startServing(folder, List.of(), coordinator.url(), "test_posture = true\n", "--model", "demo",
                    "--parallel", "2")) {
                assertThat(coordinator.awaitNode().registration().has("auth_token")).isFalse();
                assertThat(agent.run("status")).contains("logged in at wss://a.example/ws/provider, not at ws://127.0.0.1");
            }
        }
    }
}
