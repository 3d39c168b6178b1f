package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Does 240 random bad things to a link under load. Afterwards every request was answered, failed by protocol, or lost with its connection; nothing
 * runs, no memory is held, and the node is connected.
 */
@Tag("native")
@Tag("slow")
@Timeout(300)
class ChaosTest {
    private static final int FAULTS = 240;
    private static final long SEED = 20261129;

    @TempDir
    Path folder;

    private enum Fault {
        DROP, CLOSE_1000, CLOSE_1008, CLOSE_1013, RESTART, GARBAGE_TEXT, GARBAGE_FRAME, HALF_FRAME, UNKNOWN_FLOOD, CANCEL_ONE, CANCEL_TWICE,
        CANCEL_UNKNOWN, LATE_PONGS, SLEEP, CHALLENGE_FLOOD, TAMPERED_REQUEST, DUPLICATE_REQUEST, READ_PAUSE, RUNTIME_STATUS, LARGE_MESSAGE
    }

    @Test
    void everyRequestEndsAndTheNodeComesBack() {
        long contents = Content.openCount();
        var random = new Random(SEED);
        var slept = new AtomicReference<>(Duration.ZERO);
        var clocks = new LinkClocks(NanoClock.SYSTEM, () -> System.nanoTime() + slept.get().toNanos(), () -> Instant.now().plus(slept.get()));
        var done = new EnumMap<Fault, Integer>(Fault.class);
        List<Asked> all = new ArrayList<>();
        try (FakeCoordinator coordinator = FakeCoordinator.open(); TestNode node = new TestNode(folder)) {
            var settings = new LinkSettings(Duration.ofMillis(50), Duration.ofMillis(100), Duration.ofMillis(800), Duration.ofSeconds(75),
                    Duration.ofSeconds(60), false, Duration.ofMillis(200), SocketSettings.defaults("test/1"), RequestDesk.Limits.DEFAULT);
            var route = CoordinatorRoute.of(CoordinatorAddress.parse(coordinator.url()), Map.of(), Optional.empty());
            var parts = new CoordinatorLink.Parts(route, node, node, node.keys, Optional.of(node.signer), settings.heartbeat(), "test/1");
            // A random number that is always small: waiting is not what is tried here.
            var hasty = new Random(SEED) {
                @Override
                public long nextLong(long bound) {
                    return super.nextLong(Math.min(bound, 20_000_000));
                }
            };
            try (CoordinatorLink link = CoordinatorLink.start(parts, settings, clocks, hasty)) {
                Node at = coordinator.awaitNode();
                for (int i = 0; i < FAULTS; i++) {
                    while (!at.connection().isOpen()) {
                        at = coordinator.awaitNode();
                    }
                    for (int more = random.nextInt(4); more >= 0; more--) {
                        all.add(ask(at, random));
                    }
                    Fault fault = Fault.values()[random.nextInt(Fault.values().length)];
                    done.merge(fault, 1, Integer::sum);
                    inflict(fault, coordinator, at, all, slept, random);
                }
                Node last = at;
                while (!last.connection().isOpen()) {
                    last = coordinator.awaitNode();
                }
                for (Asked asked : all) { // what holds until it is told otherwise
                    if (!asked.hasEnded()) {
                        last.cancel(asked.id());
                    }
                }

                await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(link.inFlight()).isZero());
                Asked proof = null;
                while (proof == null || !(proof.awaitEnd() instanceof End.Complete)) {
                    if (!last.connection().isOpen()) {
                        last = coordinator.awaitNode();
                    }
                    proof = last.ask("say 3");
                }
                assertThat(proof.text()).isEqualTo("0 1 2 ");
                await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
                assertThat(node.answering).hasValue(0);
            }
            assertThat(coordinator.violations()).isEmpty();
        }
        assertThat(done).hasSize(Fault.values().length);
        for (Asked asked : all) {
            if (asked.hasEnded() && asked.awaitEnd() instanceof End.Complete complete) {
                assertThat(asked.chunks()).hasSize((int) complete.completionTokens()); // whole, whatever went on around it
            }
        }
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(Content.openCount()).isEqualTo(contents));
    }

    private static Asked ask(Node at, Random random) {
        return switch (random.nextInt(6)) {
            case 0 -> at.ask("hold");
            case 1 -> at.ask("wait");
            case 2 -> at.ask("fail " + random.nextInt(4));
            default -> at.ask("say " + random.nextInt(40));
        };
    }

    private static void inflict(Fault fault, FakeCoordinator coordinator, Node at, List<Asked> all, AtomicReference<Duration> slept, Random random) {
        switch (fault) {
            case DROP -> at.connection().drop();
            case CLOSE_1000 -> at.connection().close(1000, "goodbye");
            case CLOSE_1008 -> at.connection().close(1008, "no");
            case CLOSE_1013 -> at.connection().close(1013, "later");
            case RESTART -> coordinator.restart();
            case GARBAGE_TEXT -> {
                at.send("}{");
                at.send("{\"type\":\"inference_request\",\"request_id\":7}");
                at.send("{\"type\":\"attestation_challenge\"}");
            }
            case GARBAGE_FRAME -> {
                var bytes = new byte[40];
                random.nextBytes(bytes);
                bytes[0] = (byte) 0xFF;
                at.connection().sendRaw(bytes);
            }
            case HALF_FRAME -> {
                at.connection().sendRaw("\u0001\u007e".getBytes(StandardCharsets.ISO_8859_1));
                at.connection().drop();
            }
            case UNKNOWN_FLOOD -> {
                for (int i = 0; i < 500; i++) {
                    at.send("{\"type\":\"of_the_future_" + i + "\"}");
                }
            }
            case CANCEL_ONE -> cancel(at, all, random, 1);
            case CANCEL_TWICE -> cancel(at, all, random, 2);
            case CANCEL_UNKNOWN -> at.cancel(UUID.randomUUID().toString());
            case LATE_PONGS -> at.connection().ignorePings();
            case SLEEP -> slept.updateAndGet(before -> before.plus(Duration.ofSeconds(100)));
            case CHALLENGE_FLOOD -> {
                for (int i = 0; i < 30; i++) {
                    at.challenge();
                }
            }
            case TAMPERED_REQUEST -> {
                String[] sealed = at.sealed("say 1");
                all.add(at.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1].substring(0, 48)));
            }
            case DUPLICATE_REQUEST -> {
                Asked one = all.get(random.nextInt(all.size()));
                String[] sealed = at.sealed("fail 0");
                at.send("{\"type\":\"inference_request\",\"request_id\":\"" + one.id() + "\",\"encrypted_body\":{\"ephemeral_public_key\":\""
                        + sealed[0] + "\",\"ciphertext\":\"" + sealed[1] + "\"}}");
            }
            case READ_PAUSE -> {
                at.connection().read(false);
                at.ask("say 5");
                at.connection().read(true);
            }
            case RUNTIME_STATUS -> at.send("{\"type\":\"runtime_status\",\"verified\":false,\"mismatches\":[{\"component\":\"runtime\"}]}");
            case LARGE_MESSAGE -> at.connection().sendPadded(4 << 20, "{\"type\":\"cancel\",\"request_id\":\"x\"}");
        }
    }

    private static void cancel(Node at, List<Asked> all, Random random, int times) {
        Asked one = all.get(random.nextInt(all.size()));
        for (int i = 0; i < times; i++) {
            at.cancel(one.id());
        }
    }
}
