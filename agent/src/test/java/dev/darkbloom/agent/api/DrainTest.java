package dev.darkbloom.agent.api;

import static dev.darkbloom.agent.api.RawConnection.post;
import static dev.darkbloom.agent.api.RawConnection.request;
import static dev.darkbloom.agent.api.Texts.segment;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoBufferLeaks.class)
class DrainTest {
    private final CountDownLatch began = new CountDownLatch(1);
    private final CountDownLatch goOn = new CountDownLatch(1);

    private final RequestRunner waits = (endpoint, id, body, sink) -> {
        sink.beginStream();
        sink.event(segment("data: 1"));
        began.countDown();
        try {
            goOn.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        sink.event(segment("data: 2"));
        sink.endStream();
    };

    @Test
    void whatRunsFinishesAndWhatIsNewIsRefused() throws Exception {
        try (var server = TestServer.open(waits); RawConnection running = server.connect().send(post("/v1/chat/completions", "{}"))) {
            assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(server.server.drain(Duration.ZERO)).isFalse();
            CompletableFuture<Boolean> drained = CompletableFuture.supplyAsync(() -> server.server.drain(Duration.ofSeconds(20)));

            var refused = server.post("/v1/chat/completions", "{}");
            assertThat(refused.statusCode()).isEqualTo(503);
            assertThat(refused.body()).contains("\"code\":\"draining\"");
            assertThat(refused.headers().firstValue("retry-after")).contains("5");
            assertThat(server.get("/health").statusCode()).isEqualTo(200);
            assertThat(drained).isNotDone();

            goOn.countDown();
            assertThat(running.read().body()).isEqualTo("data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
            assertThat(drained.get(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void anAnswerCountsUntilItsLastByteIsWritten() {
        int bytes = 64 << 20;
        MemorySegment large = Arena.global().allocate(bytes).fill((byte) ' ');
        try (var server = TestServer.open((endpoint, id, body, sink) -> sink.document(large));
                RawConnection connection = server.connect()) {
            connection.send(post("/v1/chat/completions", "{}"));
            assertThat(connection.readHead().status()).isEqualTo(200);

            assertThat(server.server.drain(Duration.ofMillis(50))).isFalse();
            connection.skip(bytes);
            assertThat(server.server.drain(Duration.ofSeconds(10))).isTrue();
        }
    }

    @Test
    void closingCancelsWhatStillRuns() {
        var gone = new CountDownLatch(1);
        var ended = new CompletableFuture<ErrorCode>();
        RequestRunner waits = (endpoint, id, body, sink) -> {
            sink.onGone(gone::countDown);
            sink.beginStream();
            began.countDown();
            try {
                gone.await();
                sink.event(segment("data: late"));
            } catch (AgentException e) {
                ended.complete(e.code());
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        var server = TestServer.open(waits);
        try (RawConnection connection = server.connect().send(post("/v1/chat/completions", "{}"))) {
            assertThat(connection.readHead().status()).isEqualTo(200);
            server.close();
            server.close();
            assertThat(ended).isCompletedWithValue(ErrorCode.CANCELLED);
        }
    }

    @Test
    void aPortInUseNamesItsHolder() {
        try (var first = TestServer.open(waits)) {
            var settings = ApiSettings.of("127.0.0.1", first.server.port(), Optional.empty());

            assertThatThrownBy(() -> TestServer.open(settings, waits, PropsSource.NONE))
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.PORT_IN_USE))
                    .hasMessageContaining("port " + first.server.port() + " on 127.0.0.1")
                    .hasMessageContaining("pid " + ProcessHandle.current().pid());
        }
    }

    @Test
    void anAddressThatIsNotOursIsAConfigError() {
        var settings = ApiSettings.of("192.0.2.1", 0, Optional.empty());
        assertThatThrownBy(() -> TestServer.open(settings, waits, PropsSource.NONE))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONFIG_INVALID))
                .hasMessageContaining("192.0.2.1");
    }

    @Test
    void aPortIsFreeAgainAfterClosing() {
        int port;
        try (var first = TestServer.open((endpoint, id, body, sink) -> sink.document(segment("{}")))) {
            port = first.server.port();
            assertThat(first.get("/health").statusCode()).isEqualTo(200);
        }
        var settings = ApiSettings.of("127.0.0.1", port, Optional.empty());
        try (var second = TestServer.open(settings, waits, PropsSource.NONE); RawConnection connection = second.connect()) {
            assertThat(connection.send(request("GET", "/health")).read().status()).isEqualTo(200);
            await().until(() -> second.server.requestsInFlight() == 0);
        }
    }
}
