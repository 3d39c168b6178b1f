package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.LinkCounts;
import dev.darkbloom.agent.coordinator.LinkCounts.CancelStage;
import dev.darkbloom.agent.coordinator.LinkEnd;
import dev.darkbloom.agent.coordinator.LinkState;
import dev.darkbloom.agent.coordinator.LinkStatus;
import dev.darkbloom.agent.crypto.PayloadFailure;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LinkMetersTest {
    private static final Instant NOW = Instant.parse("2026-11-29T12:00:00Z");

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final LinkCounts.Source link = new LinkCounts.Source() {
        @Override
        public LinkStatus status() {
            return new LinkStatus(CoordinatorAddress.parse("wss://coordinator.example"), Optional.empty(), LinkState.CONNECTED, NOW, 2,
                    Optional.empty(), Optional.empty(), Optional.of(NOW.minusSeconds(90)), Optional.empty(), Optional.empty(), Optional.empty(), false,
                    Optional.empty(),
                    List.of(), Optional.empty(), Optional.empty(), Map.of(), Optional.empty(), new LinkStatus.Traffic(0, 0, 0, 0, 0, 0, 0, 0, List.of("secret-id")));
        }

        @Override
        public LinkCounts counts() {
            return new LinkCounts(5, 4, 77, Map.of(LinkEnd.Kind.LOST, 3L), 6, 10, 11, Map.of(CancelStage.OPENING, 1L, CancelStage.ANSWERING, 2L), 8, 1234,
                    99, Map.of(PayloadFailure.Reason.REPLAYED, 9L), 12, 13, 14, 15, 16);
        }
    };

    @Test
    void everyNumberOfTheLinkIsThere() {
        LinkMeters.register(registry, link, InstantSource.fixed(NOW));

        assertThat(registry.scrape().lines()).contains(
                "darkbloom_coordinator_state{state=\"connected\"} 1.0",
                "darkbloom_coordinator_state{state=\"waiting\"} 0.0",
                "darkbloom_coordinator_connected_seconds 90.0",
                "darkbloom_coordinator_failures_in_a_row 2.0",
                "darkbloom_coordinator_attempts_total 5.0",
                "darkbloom_coordinator_reconnects_total 3.0",
                "darkbloom_coordinator_heartbeats_total 77.0",
                "darkbloom_coordinator_ends_total{why=\"lost\"} 3.0",
                "darkbloom_coordinator_ends_total{why=\"busy\"} 0.0",
                "darkbloom_coordinator_requests_in_flight 6.0",
                "darkbloom_coordinator_requests_total{outcome=\"served\"} 10.0",
                "darkbloom_coordinator_requests_total{outcome=\"failed\"} 11.0",
                "darkbloom_coordinator_requests_total{outcome=\"cancelled\"} 3.0",
                "darkbloom_coordinator_cancels_total{stage=\"answering\"} 2.0",
                "darkbloom_coordinator_cancels_total{stage=\"ended\"} 8.0",
                "darkbloom_coordinator_tokens_total 1234.0",
                "darkbloom_coordinator_chunks_total 99.0",
                "darkbloom_coordinator_not_opened_total{reason=\"replayed\"} 9.0",
                "darkbloom_coordinator_duplicates_total 12.0",
                "darkbloom_coordinator_unknown_types_total 13.0",
                "darkbloom_coordinator_unknown_fields_total 14.0",
                "darkbloom_coordinator_malformed_total 15.0",
                "darkbloom_coordinator_challenges_ignored_total 16.0");
    }

    @Test
    void neitherIdsNorAddressesAreLabels() {
        LinkMeters.register(registry, link, InstantSource.fixed(NOW));

        assertThat(registry.scrape()).doesNotContain("secret-id", "coordinator.example");
    }
}
