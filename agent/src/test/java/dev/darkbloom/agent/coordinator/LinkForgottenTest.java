package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

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
    void aCoordinatorWithoutAListIsNotLeft() {
        Node seen = connect();
        for (int i = 0; i < 5; i++) {
            seen.heartbeat();
        }

        assertThat(link.status().lastEnd()).isEmpty();
        assertThat(link.status().listed()).isEmpty();
    }
}
