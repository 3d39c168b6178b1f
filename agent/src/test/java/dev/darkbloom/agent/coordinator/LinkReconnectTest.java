package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How connections end, and the way back. */
class LinkReconnectTest extends LinkTest {
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
}
