package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.DeviceSigner;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A link, a scripted coordinator that writes down whatever is not in the protocol, and a node without an engine; looked over after each test. */
@Tag("native") // libsodium
@Timeout(120)
abstract class LinkTest {
    @TempDir
    Path folder;

    /** How long the machine has slept: its own clock stood still. */
    final AtomicReference<Duration> slept = new AtomicReference<>(Duration.ZERO);
    /** By how much somebody has set the clock: no time has passed. */
    final AtomicReference<Duration> set = new AtomicReference<>(Duration.ZERO);
    FakeCoordinator coordinator;
    TestNode node;
    /** Who answers requests; the node, unless a test says otherwise. */
    Answerer answerer;
    CoordinatorLink link;
    private final LinkClocks clocks = new LinkClocks(NanoClock.SYSTEM, () -> System.nanoTime() + slept.get().toNanos(),
            () -> Instant.now().plus(slept.get()).plus(set.get()));
    private long contents;

    @BeforeEach
    void open() {
        contents = Content.openCount();
        coordinator = FakeCoordinator.open();
        node = new TestNode(folder);
        answerer = node;
    }

    @AfterEach
    void close() {
        if (link != null) {
            link.close();
        }
        coordinator.close();
        node.close();
        assertThat(coordinator.violations()).isEmpty();
        assertThat(node.answering).hasValue(0);
        await().untilAsserted(() -> assertThat(Content.openCount()).isEqualTo(contents));
    }

    /** Starts a link and waits until it is registered. */
    Node connect() {
        start(Optional.empty(), settings());
        return coordinator.awaitNode();
    }

    void start(Optional<DeviceSigner> signer, LinkSettings settings) {
        start(route(Map.of()), signer, settings);
    }

    /** Returns the way to the scripted coordinator that an environment gives. */
    CoordinatorRoute route(Map<String, String> environment) {
        return CoordinatorRoute.of(CoordinatorAddress.parse(coordinator.url()), environment, Optional.empty());
    }

    void start(CoordinatorRoute route, Optional<DeviceSigner> signer, LinkSettings settings) {
        link = start(node, answerer, route, signer, settings);
    }

    /** Starts a link for a node of the test's own; the test closes both. */
    CoordinatorLink start(TestNode node, CoordinatorRoute route, Optional<DeviceSigner> signer, LinkSettings settings) {
        return start(node, node, route, signer, settings);
    }

    private CoordinatorLink start(TestNode node, Answerer answers, CoordinatorRoute route, Optional<DeviceSigner> signer, LinkSettings settings) {
        var parts = new CoordinatorLink.Parts(route, node, answers, node.keys, signer, settings.heartbeat(), "test/1");
        return CoordinatorLink.start(parts, settings, clocks, new Random(1));
    }

    static LinkSettings settings() {
        return new LinkSettings(Duration.ofMillis(50), Duration.ofMillis(100), Duration.ofSeconds(5), Duration.ofSeconds(75), Duration.ofMillis(50), true,
                Duration.ofSeconds(60), Duration.ofSeconds(30), SocketSettings.defaults("test/1"), RequestDesk.Limits.DEFAULT);
    }

    static LinkSettings withDesk(RequestDesk.Limits limits) {
        LinkSettings of = settings();
        return new LinkSettings(of.heartbeat(), of.ping(), of.pong(), of.silence(), of.listing(), false, of.forPerson(), of.settling(), of.socket(), limits);
    }
}
