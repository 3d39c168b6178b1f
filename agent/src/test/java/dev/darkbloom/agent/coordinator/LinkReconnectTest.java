package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
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
    @CsvSource({"1000, goodbye", "1001, ''", "1008, protocol violation", "1009, read limited at 10485761 bytes", "1011, ''", "1012, restart",
        "1013, later", "4000, own"})
    void everyCloseCodeLeadsBack(int code, String reason) {
        Node seen = connect();
        seen.connection().close(code, reason);

        assertThat(coordinator.awaitNode().ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.status().lastEnd().orElseThrow().detail()).contains(Integer.toString(code));
    }

    @Test
    void aConnectionThatBreaksWithoutACloseFrameLeadsBack() {
        connect().connection().drop();

        assertThat(coordinator.awaitNode().ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.status().lastEnd().orElseThrow()).isEqualTo(new LinkEnd(LinkEnd.Kind.LOST, "closed with 1006"));
    }

    @Test
    void threeViolationsInARowAreAWarningUntilAConnectionHasLasted() {
        connect().connection().close(1008, "one");
        coordinator.awaitNode().connection().close(1008, "two");
        Node third = coordinator.awaitNode();
        assertThat(link.status().warning()).isEmpty();
        third.connection().close(1008, "three");

        Node fourth = coordinator.awaitNode();
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
        assertThat(link.status().advice()).contains("not in the other side's protocol").contains("update");

        set.set(Duration.ofSeconds(61));
        await().untilAsserted(() -> assertThat(link.status().warning()).isEmpty());
        assertThat(fourth.connection().isOpen()).isTrue();
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

    @Test
    void ofTwoAgentsWithOneSerialNumberOneGivesWay() throws Exception {
        connect();
        try (var twin = new TestNode(Files.createDirectory(folder.resolve("twin")));
                CoordinatorLink other = start(twin, route(Map.of()), Optional.empty(), settings())) {
            await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> assertThat(List.of(link.status().state(), other.status().state()))
                    .containsExactlyInAnyOrder(LinkState.REPLACED, LinkState.CONNECTED));

            int handshakes = coordinator.peer().handshakes();
            assertThat(handshakes).isLessThanOrEqualTo(5);
            while (coordinator.awaitNode(500).isPresent()) { } // those that came before
            assertThat(coordinator.peer().handshakes()).isEqualTo(handshakes);
        }
    }

    @Test
    void whatIsRenewedWhileItDialsIsToldOnASecondConnection() {
        var once = new AtomicBoolean();
        node.whileRegistering = () -> {
            if (once.compareAndSet(false, true)) {
                await().until(() -> link != null);
                link.renew();
            }
        };
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(node.registrations).hasValue(2));
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
        assertThat(link.status().lastEnd().map(LinkEnd::kind)).contains(LinkEnd.Kind.RENEWED);
    }

    @Test
    void aConnectionWithoutPongsIsGivenUp() {
        Node seen = connect();
        seen.connection().ignorePings();

        coordinator.awaitNode();
        assertThat(link.status().lastEnd().orElseThrow().detail()).startsWith("no pong");
    }

    @Test
    void aPongThatStandsBehindManyMessagesIsWaitedFor() {
        LinkSettings of = settings();
        start(Optional.empty(), new LinkSettings(of.heartbeat(), of.ping(), Duration.ofMillis(400), of.silence(), of.listing(), false, of.forPerson(), of.settling(),
                of.socket(), of.desk()));
        Node seen = coordinator.awaitNode();
        seen.connection().ignorePings();

        long end = System.nanoTime() + Duration.ofSeconds(2).toNanos();
        while (System.nanoTime() < end) {
            seen.heartbeat();
            seen.send("{\"type\":\"of_the_future\"}");
        }
        assertThat(link.status().lastEnd()).isEmpty();

        coordinator.awaitNode(); // silent from now on
        assertThat(link.status().lastEnd().orElseThrow().detail()).startsWith("no pong");
    }
}
