package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.coordinator.LinkCounts.CancelStage;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("native") // libsodium
@Timeout(60)
class LinkCountsTest {
    @Test
    void whatALinkDoesIsCountedAcrossConnections(@TempDir Path folder) {
        try (FakeCoordinator coordinator = FakeCoordinator.open(); TestNode node = new TestNode(folder)) {
            var parts = new CoordinatorLink.Parts(CoordinatorRoute.of(CoordinatorAddress.parse(coordinator.url()), Map.of(), Optional.empty()), node, node,
                    node.keys, Optional.empty(), Duration.ofMillis(50), "test");
            try (CoordinatorLink link = CoordinatorLink.start(parts, LinkSettings.defaults("test").withHeartbeat(Duration.ofMillis(50)),
                    LinkClocks.ofThisSystem(), new Random(1))) {
                Node seen = coordinator.awaitNode();
                seen.ask("say 3").awaitEnd();
                seen.ask("fail 0").awaitEnd();
                Asked held = seen.ask("hold");
                held.awaitChunk();
                seen.cancel(held.id());
                await().until(() -> link.counts().cancels().get(CancelStage.ANSWERING) == 1);
                seen.connection().close(1013, "later");
                coordinator.awaitNode().ask("say 2").awaitEnd();

                await().untilAsserted(() -> assertThat(link.counts().served()).isEqualTo(2));
                LinkCounts counts = link.counts();
                assertThat(counts.failed()).isEqualTo(1);
                assertThat(counts.tokens()).isEqualTo(5);
                assertThat(counts.chunks()).isEqualTo(6);
                assertThat(counts.registrations()).isEqualTo(2);
                assertThat(counts.attempts()).isGreaterThanOrEqualTo(2);
                assertThat(counts.ends().get(LinkEnd.Kind.BUSY)).isEqualTo(1);
                assertThat(counts.heartbeats()).isPositive();
                assertThat(counts.malformed()).isZero();
            }
        }
    }
}
