package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/**
 * Does random bad things to a link under load and then asks of every request how it ended: answered, failed in the way that it had to fail,
 * cancelled by the test, or lost with its connection. There is no fifth way.
 */
final class Chaos {
    private static final int MOST_AT_ONCE = 4;

    private final Asks asks;
    private final Random random;
    private final List<Sent> all = new ArrayList<>();
    private final Set<String> cancelled = new HashSet<>();
    private final Map<Fault, Integer> done = new EnumMap<>(Fault.class);
    private final AtomicReference<Duration> slept = new AtomicReference<>(Duration.ZERO);

    private enum Fault {
        DROP, CLOSE_1000, CLOSE_1008, CLOSE_1013, RESTART, GARBAGE_TEXT, GARBAGE_FRAME, HALF_FRAME, UNKNOWN_FLOOD, CANCEL_ONE, CANCEL_TWICE,
        CANCEL_UNKNOWN, LATE_PONGS, SLEEP, CHALLENGE_FLOOD, TAMPERED_REQUEST, DUPLICATE_REQUEST, READ_PAUSE, RUNTIME_STATUS, LARGE_MESSAGE
    }

    /** What has to become of a request on a connection that lasts. */
    enum Due {
        /** It is answered. */
        ANSWER,
        /** It is refused or fails. */
        FAILURE,
        /** It goes on until it is cancelled, or for a long time. */
        NONE
    }

    /** A request's body and what is due. */
    record Ask(String body, Due due) {}

    /** What is asked of the node. */
    interface Asks {
        Ask next(Random random);

        /** One that goes on for long. */
        Ask endless();

        /** One that is answered, when all is over. */
        Ask proof();

        /** Checks an answer that is whole. */
        void checkAnswer(Asked asked, End.Complete end);

        /** Checks a failure that was due. */
        void checkFailure(End.Failed end);
    }

    /** How many requests ended in which way; of what the test cancelled, what had not ended before counts as that. */
    record Ends(int answered, int failed, int cancelled, int lost) {}

    private record Sent(Asked asked, Due due) {}

    Chaos(Asks asks, long seed) {
        this.asks = asks;
        this.random = new Random(seed);
    }

    /**
     * Does {@code faults} bad things. When it returns every request has ended, nothing runs, the node is connected and has answered once more, and the
     * link and the coordinator are closed.
     *
     * @param answerers makes what answers requests; told of the node that registers
     * @return how the requests ended
     */
    Ends run(int faults, Path folder, Function<TestNode, Answerer> answerers) {
        var clocks = new LinkClocks(NanoClock.SYSTEM, () -> System.nanoTime() + slept.get().toNanos(), () -> Instant.now().plus(slept.get()));
        try (FakeCoordinator coordinator = FakeCoordinator.open(); TestNode node = new TestNode(folder)) {
            var settings = new LinkSettings(Duration.ofMillis(50), Duration.ofMillis(100), Duration.ofMillis(800), Duration.ofSeconds(75),
                    Duration.ofSeconds(60), false, Duration.ofMillis(200), Duration.ofSeconds(30), SocketSettings.defaults("test/1"), RequestDesk.Limits.DEFAULT);
            var route = CoordinatorRoute.of(CoordinatorAddress.parse(coordinator.url()), Map.of(), Optional.empty());
            var parts = new CoordinatorLink.Parts(route, node, answerers.apply(node), node.keys, Optional.of(node.signer), settings.heartbeat(), "test/1");
            // A random number that is always small: waiting is not what is tried here.
            var hasty = new Random(random.nextLong()) {
                @Override
                public long nextLong(long bound) {
                    return super.nextLong(Math.min(bound, 20_000_000));
                }
            };
            try (CoordinatorLink link = CoordinatorLink.start(parts, settings, clocks, hasty)) {
                Node at = coordinator.awaitNode();
                for (int i = 0; i < faults; i++) {
                    at = open(coordinator, at);
                    for (int more = random.nextInt(MOST_AT_ONCE); more >= 0; more--) {
                        send(at, asks.next(random));
                    }
                    letRun(all.getLast());
                    // Each once, and then as it comes.
                    Fault fault = Fault.values()[i < Fault.values().length ? i : random.nextInt(Fault.values().length)];
                    done.merge(fault, 1, Integer::sum);
                    inflict(fault, coordinator, at);
                }
                at = open(coordinator, at);
                settle(at, link);
                prove(coordinator, at);
                await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
                await().untilAsserted(() -> assertThat(link.inFlight()).isZero());
                assertThat(node.answering).hasValue(0);
            }
            assertThat(coordinator.violations()).isEmpty();
            assertThat(done).hasSize(Fault.values().length);
            return checkedEnds();
        }
    }

    /** Returns the connection that stands, the next one if the last has gone. */
    private static Node open(FakeCoordinator coordinator, Node at) {
        Node open = at;
        while (!open.connection().isOpen()) {
            open = coordinator.awaitNode();
        }
        return open;
    }

    private Asked send(Node at, Ask ask) {
        Asked asked = at.ask(ask.body());
        all.add(new Sent(asked, ask.due()));
        return asked;
    }

    /** Lets a request come to where the next bad thing is to find it: on its way, at work, or at its end. */
    private void letRun(Sent sent) {
        switch (random.nextInt(4)) {
            case 0 -> { }
            case 1 -> sent.asked().awaitAccepted();
            default -> {
                if (sent.due() == Due.NONE) {
                    sent.asked().awaitAccepted();
                } else {
                    sent.asked().awaitEnd();
                }
            }
        }
    }

    /** Waits for what has to end by itself, and only then cancels what goes on. */
    private void settle(Node last, CoordinatorLink link) {
        await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(all).allMatch(sent -> sent.due() == Due.NONE || isOver(sent)));
        for (Sent sent : all) {
            if (!isOver(sent)) {
                cancel(last, sent.asked());
            }
        }
        await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(link.inFlight()).isZero());
    }

    private boolean isOver(Sent sent) {
        return sent.asked().hasEnded() || cancelled.contains(sent.asked().id());
    }

    private void cancel(Node at, Asked one) {
        cancelled.add(one.id());
        at.cancel(one.id());
    }

    private void prove(FakeCoordinator coordinator, Node last) {
        Node at = last;
        Ask ask = asks.proof();
        Asked proof = at.ask(ask.body());
        while (proof.awaitEnd() instanceof End.Lost) { // the last fault may show late
            at = open(coordinator, at);
            proof = at.ask(ask.body());
        }
        assertThat(proof.awaitEnd()).isInstanceOf(End.Complete.class);
        asks.checkAnswer(proof, (End.Complete) proof.awaitEnd());
    }

    private Ends checkedEnds() {
        int answered = 0;
        int failed = 0;
        int lost = 0;
        int stopped = 0;
        for (Sent sent : all) {
            Asked asked = sent.asked();
            boolean isCancelled = cancelled.contains(asked.id());
            if (!asked.hasEnded() || isCancelled && asked.awaitEnd() instanceof End.Lost) {
                assertThat(isCancelled).as("a request that was neither ended nor cancelled").isTrue();
                stopped++;
                continue;
            }
            switch (asked.awaitEnd()) {
                case End.Lost _ -> lost++;
                case End.Complete complete -> {
                    assertThat(sent.due()).isNotEqualTo(Due.FAILURE);
                    asks.checkAnswer(asked, complete); // whole, whatever went on around it
                    answered++;
                }
                case End.Failed failure -> {
                    assertThat(sent.due()).as(failure.toString()).isEqualTo(Due.FAILURE);
                    asks.checkFailure(failure);
                    failed++;
                }
            }
        }
        return new Ends(answered, failed, stopped, lost);
    }

    private void inflict(Fault fault, FakeCoordinator coordinator, Node at) {
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
            case CANCEL_ONE -> cancel(at, send(at, asks.endless()));
            case CANCEL_TWICE -> cancelTwice(at);
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
                all.add(new Sent(at.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1].substring(0, 48)), Due.FAILURE));
            }
            case DUPLICATE_REQUEST -> { // of one that runs, which is to go on undisturbed
                Asked one = send(at, asks.endless());
                String[] sealed = at.sealed(asks.proof().body());
                at.send("{\"type\":\"inference_request\",\"request_id\":\"" + one.id() + "\",\"encrypted_body\":{\"ephemeral_public_key\":\""
                        + sealed[0] + "\",\"ciphertext\":\"" + sealed[1] + "\"}}");
            }
            case READ_PAUSE -> {
                at.connection().read(false);
                send(at, asks.proof());
                at.connection().read(true);
            }
            case RUNTIME_STATUS -> at.send("{\"type\":\"runtime_status\",\"verified\":false,\"mismatches\":[{\"component\":\"runtime\"}]}");
            case LARGE_MESSAGE -> at.connection().sendPadded(4 << 20, "{\"type\":\"cancel\",\"request_id\":\"x\"}");
        }
    }

    /** Cancels one that runs; the others have ended in a way that is looked at. */
    private void cancelTwice(Node at) {
        List<Sent> running = all.stream().filter(sent -> !isOver(sent)).toList();
        if (!running.isEmpty()) {
            Asked one = running.get(random.nextInt(running.size())).asked();
            cancel(at, one);
            cancel(at, one);
        }
    }
}
