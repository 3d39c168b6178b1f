package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A coordinator that may have forgotten the node while the socket is open: sleep, clocks, the public list. */
class LinkForgottenTest extends LinkTest {
    @Test
    void aMachineThatSleptConnectsAnew() {
        Node seen = connect();
        seen.heartbeat();

        slept.set(Duration.ofSeconds(100));

        coordinator.awaitNode();
        assertThat(link.status().lastEnd().orElseThrow().kind()).isEqualTo(LinkEnd.Kind.SLEPT);
    }

    @Test
    void aMachineThatSleptAgainConnectsAnewAgain() {
        connect().heartbeat();
        slept.set(Duration.ofSeconds(100));
        coordinator.awaitNode().heartbeat();

        slept.set(Duration.ofHours(9));

        coordinator.awaitNode().heartbeat();
        assertThat(link.status().lastEnd().orElseThrow().detail()).startsWith("no report for 32");
    }

    @Test
    void aShortNapChangesNothing() {
        Node seen = connect();
        for (int i = 0; i < 10; i++) {
            slept.updateAndGet(before -> before.plus(Duration.ofSeconds(60)));
            Instant woken = Instant.now().plus(slept.get());
            await().untilAsserted(() -> assertThat(link.status().lastHeartbeat().orElseThrow()).isAfter(woken));
        }

        assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(link.status().lastEnd()).isEmpty();
    }

    @Test
    void reportsThatTheSystemDoesNotTakeAreNone() {
        LinkSettings of = settings();
        start(Optional.empty(), new LinkSettings(of.heartbeat(), of.ping(), Duration.ofSeconds(60), of.silence(), of.listing(), false, of.forPerson(), of.settling(),
                of.socket(), of.desk()));
        Node seen = coordinator.awaitNode();
        seen.connection().read(false);
        for (int i = 0; i < 6; i++) {
            seen.ask("huge 5000000"); // until what the system holds is full, and no report is written any more
        }

        await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
            slept.updateAndGet(before -> before.plus(Duration.ofSeconds(20)));
            assertThat(link.status().lastEnd().map(LinkEnd::kind)).contains(LinkEnd.Kind.SLEPT);
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {-3600, -5, 100, 3600, 1_000_000})
    void aClockThatIsSetChangesNothing(long seconds) {
        Node seen = connect();
        seen.heartbeat();

        set.set(Duration.ofSeconds(seconds));

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
        start(Optional.empty(), new LinkSettings(of.heartbeat(), of.ping(), of.pong(), of.silence(), Duration.ofSeconds(20), true, of.forPerson(), of.settling(),
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
    void aLookThatFailsIsNotTheLast() {
        coordinator.peer().servePages(request -> request.uri().equals("/v1/providers/attestation")
                ? Optional.of("{\"providers\":[{\"se_public_key\":\"k\",\"trust_level\":\"self_signed\"}]}") : Optional.empty());
        var board = new LinkBoard(Instant::now);
        board.registered(Instant.now());
        var looks = new AtomicInteger();
        InstantSource wall = () -> {
            if (looks.getAndIncrement() == 0) {
                throw new IllegalStateException("a defect");
            }
            return Instant.now();
        };

        try (var watch = new ListWatch(new CoordinatorHttp(route(Map.of())), "k", board, wall, () -> { })) {
            watch.start(Duration.ofMillis(50));
            await().until(() -> board.status(CoordinatorAddress.parse(coordinator.url()), Optional.empty(),
                    new LinkStatus.Traffic(0, 0, 0, 0, 0, 0, 0, 0, List.of())).listed().isPresent());
        }
        assertThat(looks.get()).isGreaterThan(1);
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
}
