package dev.darkbloom.agent.service.account;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.coordinator.CoordinatorRoute;
import dev.darkbloom.agent.service.account.SelfRouteCheck.Finding;
import dev.darkbloom.agent.service.control.StatusReport;
import dev.darkbloom.agent.testing.coordinator.HttpPeer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SelfRouteCheckTest {
    private static final String MANY = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n".repeat(200_000);
    private static final String ANSWER = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n";
    private static final StatusReport.Gate CLOSED = new StatusReport.Gate("thermal", "fail", true, "too hot", "", Optional.empty());

    private HttpPeer peer;

    @BeforeEach
    void open() {
        peer = HttpPeer.open();
    }

    @AfterEach
    void close() {
        peer.close();
    }

    @Test
    void aJobThatThisMachineRememberedWasServedHere() throws Exception {
        peer.answer("/v1/chat/completions", 200, ANSWER, "X-Inference-Job-ID", "job-1");

        assertThat(check(List.of("job-2", "job-1"))).isEqualTo(new Finding.ServedHere("job-1"));
        assertThat(peer.requests()).singleElement().asString().contains("\"stream\":true").contains("\"model\":\"m\"");
        assertThat(peer.header("X-Darkbloom-Route")).isEqualTo("self");
        assertThat(peer.header("Authorization")).isEqualTo("Bearer sk-db-secret");
    }

    @Test
    void anotherJobWasServedElsewhereAndTheGatesThatAreNotOpenAreTold() throws Exception {
        peer.answer("/v1/chat/completions", 200, ANSWER, "X-Inference-Job-ID", "job-1");

        assertThat(check(List.of("job-2"))).isEqualTo(new Finding.ServedElsewhere("job-1", List.of(CLOSED)));
    }

    @Test
    void theAnswerIsReadToItsEndSoThatNothingIsCancelled() throws Exception {
        peer.answer("/v1/chat/completions", 200, MANY, "X-Inference-Job-ID", "job-1");

        assertThat(check(List.of("job-1"))).isEqualTo(new Finding.ServedHere("job-1"));
        Awaitility.await().untilAsserted(() -> assertThat(peer.wholeAnswers()).isEqualTo(1));
    }

    @Test
    void aRefusalAndAnErrorInTheStreamAreNoAnswer() throws Exception {
        peer.answer("/v1/chat/completions", 503, "{}");
        peer.answer("/v1/chat/completions", 200, "data: {\"error\":{\"message\":\"x\"}}\n\n");

        assertThat(check(List.of())).isEqualTo(new Finding.NotServed(503, List.of(CLOSED)));
        assertThat(check(List.of())).isEqualTo(new Finding.NotServed(0, List.of(CLOSED)));
    }

    @Test
    void nobodyThereIsSaidSo() {
        peer.close();

        assertThatThrownBy(() -> check(List.of())).isInstanceOf(AgentException.class).hasMessageContaining("no answer from").hasMessageNotContaining("secret");
    }

    private Finding check(List<String> recent) throws InterruptedException {
        var address = CoordinatorAddress.parse("http://127.0.0.1:" + peer.port());
        try (var http = new CoordinatorHttp(CoordinatorRoute.of(address, Map.of(), Optional.empty()))) {
            return new SelfRouteCheck(http, () -> report(recent), _ -> { }).run("m", new Redacted("sk-db-secret"));
        }
    }

    private static StatusReport report(List<String> recent) {
        var coordinator = new StatusReport.Coordinator("ws://x", Optional.empty(), "connected", "", Instant.EPOCH, Optional.empty(), Optional.empty(),
                Optional.empty(), Optional.empty(), Optional.empty(), 0, "no", false, "llama.cpp", false, "software",
                List.of("m"), 0, 0, 0, 0, 0, 0, 0, 0, recent, List.of(),
                List.of(CLOSED, new StatusReport.Gate("drain", "pass", true, "", "", Optional.empty())), List.of());
        return new StatusReport("ready", "", "coordinator", 1, "", "", "", "", Instant.EPOCH, 0, Optional.empty(), Optional.of(coordinator), List.of(),
                new StatusReport.Memory(0, 0, 0, 0), "", "", "");
    }
}
