package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A coordinator that sends more than anybody could want: memory stays bounded, and reports are written all the while. */
class LinkFloodTest extends LinkTest {
    @ParameterizedTest
    @ValueSource(strings = {
        "{\"type\":\"of_the_future\"}",
        "{\"type\":\"cancel\",\"request_id\":\"nobody\"}",
        "{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}",
        "}{",
    })
    void manyTinyMessagesDoNotStopReportsOrRequests(String message) {
        start(Optional.empty(), holding(1 << 20));
        Node seen = coordinator.awaitNode();
        long before = Content.openCount();
        seen.send(message, 50_000);
        var asked = seen.ask("say 3"); // behind all of them

        long most = 0;
        int reports = 0;
        while (!asked.hasEnded()) {
            most = Math.max(most, Content.openCount() - before);
            seen.heartbeat();
            reports++;
        }

        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
        assertThat(reports).isPositive();
        assertThat(most).isLessThan(1024 + 65_536 / 4); // the socket's limit at 1 KiB each, and what one read brings
        assertThat(link.status().lastEnd()).isEmpty();
    }

    @Test
    void giantMessagesByTheDozenAreHeldOneOrTwoAtATime() {
        Node seen = connect();
        long before = Content.openCount();
        int times = 12;
        seen.connection().sendPadded((64 << 20) - 100, "{\"type\":\"of_the_future\"}", times);

        long most = 0;
        while (link.status().traffic().unknownTypes() < times) {
            most = Math.max(most, Content.openCount() - before);
            seen.heartbeat();
        }

        assertThat(most).isLessThanOrEqualTo(4);
        assertThat(seen.ask("say 3").awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"pings", "probes", "requests in the clear"})
    void aCoordinatorThatAsksAndDoesNotReadIsLeftOrNotAnswered(String what) {
        start(Optional.empty(), holding(1 << 20));
        Node seen = coordinator.awaitNode();
        seen.connection().read(false);
        switch (what) {
            case "pings" -> {
                var pings = new byte[127 * 200_000]; // each with a payload of 125 bytes, which a pong repeats
                for (int i = 0; i < pings.length; i += 127) {
                    pings[i] = (byte) 0x89;
                    pings[i + 1] = 125;
                }
                seen.connection().sendRaw(pings);
            }
            case "probes" -> seen.send("{\"type\":\"capacity_probe\",\"quote_id\":\"q\",\"model\":\"m\","
                    + "\"prompt_tokens_bucket\":512,\"max_output_tokens\":10}", 30_000);
            default -> {
                for (int i = 0; i < 100_000; i++) {
                    seen.send("{\"type\":\"inference_request\",\"request_id\":\"" + i + "\",\"body\":{}}");
                }
            }
        }

        if (what.equals("probes")) {
            await().untilAsserted(() -> assertThat(link.status().isLater()).isTrue());
            seen.connection().read(true);
            assertThat(seen.ask("say 1").awaitEnd()).isInstanceOf(End.Complete.class);
        } else {
            await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> assertThat(link.status().lastEnd())
                    .contains(new LinkEnd(LinkEnd.Kind.LOST, "it does not read what it is sent")));
        }
    }

    /** Limits under which {@code heldBytes} may lie untaken, and 1 MiB unsent. */
    private static LinkSettings holding(int heldBytes) {
        LinkSettings of = settings();
        var socket = new SocketSettings(Duration.ofSeconds(5), 1 << 20, heldBytes, 4 << 10, "test/1");
        return new LinkSettings(of.heartbeat(), of.ping(), Duration.ofSeconds(60), of.silence(), of.listing(), false, of.forPerson(), of.settling(), socket, of.desk());
    }
}
