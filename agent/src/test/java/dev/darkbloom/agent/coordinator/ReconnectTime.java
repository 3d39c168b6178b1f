package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.DataSize;
import dev.darkbloom.agent.config.TestPosture;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.hardware.HardwareProbe;
import dev.darkbloom.agent.hardware.PostureProbe;
import dev.darkbloom.agent.hardware.SystemMetrics;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.coordinator.WebSocketPeer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;

/**
 * How long a link takes to register again when its coordinator dies and comes back at once, with a backoff that is fresh: each connection has
 * lasted, by a wall clock that is put forward by a minute.
 */
final class ReconnectTime {
    private static final Duration LASTED = Duration.ofSeconds(61);

    private final Duration toolTime;

    /**
     * Makes one measurement.
     *
     * @param toolTime what looking at the system's protections takes besides what it takes here: a Mac's tools take half a second
     */
    ReconnectTime(Duration toolTime) {
        this.toolTime = toolTime;
    }

    /** Times from the coordinator's death, and from when it listened again, to {@code register}. */
    record Figure(Quantiles fromDeath, Quantiles fromListening) {}

    Figure measure(int restarts) throws Exception {
        Path folder = Files.createTempDirectory("darkbloom-bench");
        var jumps = new AtomicLong();
        InstantSource wall = () -> Instant.now().plus(LASTED.multipliedBy(jumps.get()));
        WebSocketPeer peer = WebSocketPeer.open();
        int port = peer.port();
        try (var node = new TestNode(folder)) {
            var parts = new CoordinatorLink.Parts(CoordinatorRoute.of(CoordinatorAddress.parse(peer.url()), Map.of(), Optional.empty()),
                    report(node, wall), node, node.keys, Optional.empty(), Duration.ofSeconds(5), "benchmark");
            var clocks = new LinkClocks(NanoClock.SYSTEM, () -> System.nanoTime() + LASTED.toNanos() * jumps.get(), wall);
            try (var _ = CoordinatorLink.start(parts, LinkSettings.defaults("benchmark"), clocks, RandomGenerator.getDefault())) {
                awaitReport(peer.accept());
                var times = new long[2][restarts];
                for (int i = 0; i < restarts; i++) {
                    jumps.incrementAndGet();
                    long dead = System.nanoTime();
                    peer.close();
                    peer = WebSocketPeer.openAt(port);
                    long listening = System.nanoTime();
                    long registered = awaitReport(peer.accept());
                    times[0][i] = registered - dead;
                    times[1][i] = registered - listening;
                }
                return new Figure(new Quantiles(times[0]), new Quantiles(times[1]));
            }
        } finally {
            peer.close();
            Files.deleteIfExists(folder.resolve("signing_key"));
            Files.delete(folder);
        }
    }

    /** Waits for the first report, which follows the registration; returns when the registration came. */
    private static long awaitReport(WebSocketPeer.Connection connection) {
        if (!connection.receive().contains("\"register\"")) {
            throw new IllegalStateException("something came before the registration");
        }
        long registered = System.nanoTime();
        while (!connection.receive().contains("\"heartbeat\"")) {
            // something else
        }
        return registered;
    }

    private NodeReport report(TestNode node, InstantSource wall) {
        PostureProbe real = PostureProbe.ofThisSystem(wall);
        PostureProbe posture = () -> {
            LockSupport.parkNanos(toolTime.toNanos());
            return real.posture();
        };
        var config = new AgentConfig.Coordinator(Optional.empty(), Optional.empty(), false, Duration.ofSeconds(5), "llama.cpp", Optional.empty(),
                Optional.empty(), false, TestPosture.OFF, new AgentConfig.Downloads(true, Optional.empty(), new DataSize(0), new DataSize(0)));
        return new NodeReport(config, new NodeReport.Parts(new FixedModels(new NodeModels.Offer("demo", 1, "Q8_0", true)),
                new FakeModelPool(new ManualClock(), "demo"), new MemoryLedger(4L << 30), HardwareProbe.ofThisSystem().report(),
                () -> SystemMetrics.unknown("not measured", wall.instant()), posture, node.signer, Optional::empty, "0.1.0", node.keys.publicKey(),
                "BENCHMARK", wall));
    }
}
