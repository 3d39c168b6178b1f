package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** HTTP answers in place of a handshake: each is a named state with a remedy, and is tried again in peace. */
class LinkRefusedTest extends LinkTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            400 | NOT_A_COORDINATOR | check coordinator.url
            401 | UNAUTHORIZED      | darkbloom-agent login
            403 | UNAUTHORIZED      | darkbloom-agent login
            404 | NOT_A_COORDINATOR | check coordinator.url
            407 | PROXY_REFUSED     | HTTPS_PROXY
            426 | OUTDATED          | update darkbloom-agent
            429 | WAITING           | it tries again by itself
            500 | WAITING           | it tries again by itself
            502 | WAITING           | it tries again by itself
            503 | WAITING           | it tries again by itself
            """)
    void aRefusedHandshakeIsANamedStateAndIsTriedAgainInPeace(int status, LinkState state, String remedy) {
        coordinator.peer().refuseWith(status);
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().lastEnd()).isPresent());
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(state));
        assertThat(link.status().advice()).contains(remedy);
        assertThat(link.status().nextAttempt()).isPresent();
        coordinator.peer().refuseWith(0);
        link.renew();
        coordinator.awaitNode();
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
    }

    @Test
    void whatKeepsTheMachineFromRegisteringIsNamedAndGoesOnWhenItIsMended() {
        node.whileRegistering = () -> {
            throw new AgentException(ErrorCode.LOGIN_FAILED, "the token's file is damaged");
        };
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.NOT_SET_UP));
        assertThat(link.status().lastEnd().orElseThrow().detail()).isEqualTo("the token's file is damaged");
        assertThat(link.status().advice()).isEqualTo("run: darkbloom-agent login");
        assertThat(coordinator.peer().handshakes()).isZero();
        node.whileRegistering = () -> { };
        link.renew();
        coordinator.awaitNode();
        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.CONNECTED));
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 404, 426})
    void whatOnlyAPersonMendsIsNotTriedBeforeHalfAMinute(int status) {
        coordinator.peer().refuseWith(status);
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().nextAttempt()).isPresent());
        assertThat(link.status().nextAttempt().orElseThrow()).isAfter(Instant.now().plusSeconds(25));
        assertThat(coordinator.peer().handshakes()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {429, 503})
    void aCoordinatorThatAsksForPatienceIsLeftAlone(int status) {
        coordinator.peer().refuseWith(status, "Retry-After", "300");
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().nextAttempt()).isPresent());
        assertThat(link.status().nextAttempt().orElseThrow()).isBetween(Instant.now().plusSeconds(290), Instant.now().plusSeconds(305));
        assertThat(coordinator.peer().handshakes()).isEqualTo(1);
    }

    @Test
    void aDateIsPatienceTooAndNoPatienceIsEndless() {
        String date = DateTimeFormatter.RFC_1123_DATE_TIME.format(Instant.now().plusSeconds(100).atOffset(ZoneOffset.UTC));

        assertThat(LinkEnd.ofStatus(503, Optional.empty(), Optional.of(date), Optional.empty()).retryAfter().orElseThrow())
                .isBetween(Duration.ofSeconds(90), Duration.ofSeconds(100));
        assertThat(LinkEnd.ofStatus(429, Optional.empty(), Optional.of("999999999"), Optional.empty()).retryAfter()).contains(LinkEnd.MOST_RETRY_AFTER);
        for (String odd : new String[] {"", "-5", "0", "soon", "1e9", "99999999999999999999", "Mon, 01 Jan 2001 00:00:00 GMT"}) {
            assertThat(LinkEnd.ofStatus(429, Optional.empty(), Optional.of(odd), Optional.empty()).retryAfter()).as(odd).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 307, 308})
    void aRedirectIsNamedAndNotFollowed(int status) {
        try (FakeCoordinator elsewhere = FakeCoordinator.open()) {
            coordinator.peer().refuseWith(status, "Location", elsewhere.url());
            start(Optional.empty(), settings());

            await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.NOT_A_COORDINATOR));
            assertThat(link.status().lastEnd().orElseThrow().detail()).contains("HTTP " + status).contains("a redirect to " + elsewhere.url());
            assertThat(link.status().advice()).contains("redirects are not followed");
            assertThat(elsewhere.peer().handshakes()).isZero();
            assertThat(coordinator.peer().handshakes()).isEqualTo(1);
        }
    }

    @Test
    void aPageInPlaceOfACoordinatorIsNamed() {
        coordinator.peer().refuseWith(200, "Content-Type", "text/html");
        start(Optional.empty(), settings());

        await().untilAsserted(() -> assertThat(link.status().state()).isEqualTo(LinkState.NOT_A_COORDINATOR));
        assertThat(link.status().lastEnd().orElseThrow().detail()).endsWith("HTTP 200 and text/html");
        assertThat(link.status().advice()).contains("a page answers there");
        assertThat(coordinator.peer().handshakes()).isEqualTo(1);
    }
}
