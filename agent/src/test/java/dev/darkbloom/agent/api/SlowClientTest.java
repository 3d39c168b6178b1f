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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Clients that leave, stop reading or stop sending while a request runs: it ends at once, and nothing is kept. */
@ExtendWith(NoBufferLeaks.class)
class SlowClientTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    private static ApiLimits limits(Duration bodyTime, Duration stallTime, Duration lingerTime) {
        ApiLimits usual = ApiLimits.DEFAULT;
        return new ApiLimits(
                2, usual.requestLineBytes(), usual.headerBytes(), 1 << 20, usual.discardBytes(), usual.pipelinedBytes(), 64 << 10,
                usual.headTime(), bodyTime, 1 << 20, usual.idleTime(), stallTime, lingerTime);
    }

    /** Streams until it is told to stop, and remembers how it ended. */
    private static final class EndlessRunner {
        final CountDownLatch began = new CountDownLatch(1);
        final CountDownLatch gone = new CountDownLatch(1);
        final AtomicInteger events = new AtomicInteger();
        final CompletableFuture<AgentException> end = new CompletableFuture<>();
        final MemorySegment event = Arena.global().allocate(4096).fill((byte) 'x');

        RequestRunner runner() {
            return (endpoint, id, body, sink) -> {
                sink.onGone(gone::countDown);
                sink.beginStream();
                try {
                    while (true) {
                        sink.event(event);
                        events.incrementAndGet();
                        began.countDown();
                    }
                } catch (AgentException e) {
                    end.complete(e);
                    throw e;
                }
            };
        }

        void assertCancelled() throws Exception {
            assertThat(gone.await(10, TimeUnit.SECONDS)).as("the engine was told").isTrue();
            assertThat(end.get(10, TimeUnit.SECONDS).code()).isEqualTo(ErrorCode.CANCELLED);
        }
    }

    @Test
    void aClientThatLeavesInTheMiddleOfAStreamCancelsIt() throws Exception {
        var endless = new EndlessRunner();
        try (var server = TestServer.open(endless.runner())) {
            RawConnection connection = server.connect().send(post("/v1/chat/completions", "{}"));
            assertThat(connection.readHead().status()).isEqualTo(200);
            assertThat(connection.readChunk()).startsWith("xxx");

            connection.close();

            endless.assertCancelled();
            await().atMost(SOON).until(() -> server.server.requestsInFlight() == 0);
            await().atMost(SOON).until(() -> server.get("/metrics").body().contains("route=\"/v1/chat/completions\",status=\"499\""));
        }
    }

    @Test
    void aClientThatLeavesBeforeTheFirstByteCancelsToo() throws Exception {
        var began = new CountDownLatch(1);
        var gone = new CountDownLatch(1);
        RequestRunner waits = (endpoint, id, body, sink) -> {
            assertThat(sink.isGone()).isFalse();
            sink.onGone(gone::countDown);
            began.countDown();
            try {
                gone.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            assertThat(sink.isGone()).isTrue();
            assertThatThrownBy(() -> sink.document(segment("{}"))).isInstanceOf(AgentException.class);
        };
        try (var server = TestServer.open(waits)) {
            RawConnection connection = server.connect().send(post("/v1/chat/completions", "{}"));
            assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();

            connection.close();

            assertThat(gone.await(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void aRequestThatStopsBecauseItsClientLeftIsNoFailure() throws Exception {
        var began = new CountDownLatch(1);
        var gone = new CountDownLatch(1);
        RequestRunner stops = (endpoint, id, body, sink) -> {
            sink.onGone(gone::countDown);
            began.countDown();
            try {
                gone.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        try (var logs = CapturedLogs.of("dev.darkbloom")) {
            try (var server = TestServer.open(stops); RawConnection connection = server.connect()) {
                connection.send(post("/v1/chat/completions", "{}"));
                assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();
                connection.socket.close();
            }
            assertThat(logs.text()).contains("local endpoint closed").doesNotContain("failed");
        }
    }

    @Test
    void aHalfClosedSocketCountsAsLeaving() throws Exception {
        var endless = new EndlessRunner();
        try (var server = TestServer.open(endless.runner()); RawConnection connection = server.connect()) {
            connection.send(post("/v1/chat/completions", "{}"));
            assertThat(endless.began.await(10, TimeUnit.SECONDS)).isTrue();

            connection.socket.shutdownOutput();

            endless.assertCancelled();
        }
    }

    @Test
    void aReaderThatStopsReadingHoldsBackTheRequestAndIsThenClosed() throws Exception {
        var endless = new EndlessRunner();
        var limits = limits(Duration.ofSeconds(20), Duration.ofMillis(700), Duration.ofMillis(200));
        try (var server = TestServer.open(limits, endless.runner()); RawConnection connection = server.connect()) {
            connection.send(post("/v1/chat/completions", "{}"));
            assertThat(connection.readHead().status()).isEqualTo(200);

            endless.assertCancelled();

            // What the sockets of both sides hold is the system's; beyond it little may pile up here.
            assertThat(endless.events.get()).isLessThan(8_000);
            await().atMost(SOON).until(() -> server.server.requestsInFlight() == 0);
        }
    }

    @Test
    void aReaderThatStopsReadingADocumentIsClosedToo() {
        var limits = limits(Duration.ofSeconds(20), Duration.ofMillis(500), Duration.ofMillis(200));
        MemorySegment large = Arena.global().allocate(64 << 20).fill((byte) ' ');
        try (var server = TestServer.open(limits, (endpoint, id, body, sink) -> sink.document(large));
                RawConnection connection = server.connect()) {
            connection.send(post("/v1/chat/completions", "{}"));
            assertThat(connection.readHead().status()).isEqualTo(200);

            await().atMost(SOON).until(() -> server.server.requestsInFlight() == 0);
        }
    }

    @Test
    void aSlowReaderThatGoesOnReadingIsServed() {
        int events = 400;
        RequestRunner runner = (endpoint, id, body, sink) -> {
            sink.beginStream();
            for (int i = 0; i < events; i++) {
                sink.event(segment("data: " + "y".repeat(10_000)));
            }
            sink.endStream();
        };
        var limits = limits(Duration.ofSeconds(20), Duration.ofSeconds(5), Duration.ofSeconds(1));
        try (var server = TestServer.open(limits, runner); RawConnection connection = server.connect()) {
            connection.send(post("/v1/chat/completions", "{}"));
            assertThat(connection.read().body()).hasSize(events * 10_008 + "data: [DONE]\n\n".length());
        }
    }

    @Test
    void aBodyThatDoesNotComeIsATimeout() {
        var limits = limits(Duration.ofMillis(300), Duration.ofSeconds(5), Duration.ofMillis(200));
        try (var server = TestServer.open(limits, (endpoint, id, body, sink) -> sink.document(segment("{}")));
                RawConnection connection = server.connect()) {
            connection.send(request("POST", "/v1/completions", "Content-Length: 10") + "{");

            RawConnection.Answer answer = connection.read();
            assertThat(answer.status()).isEqualTo(408);
            assertThat(answer.body()).contains("\"code\":\"request_timeout\"");
            assertThat(connection.isEnded()).isTrue();
        }
    }

    @Test
    void bodiesTogetherHaveALimit() {
        var limits = limits(Duration.ofSeconds(20), Duration.ofSeconds(5), Duration.ofSeconds(1));
        try (var server = TestServer.open(limits, (endpoint, id, body, sink) -> sink.document(segment("{}")))) {
            assertThat(server.post("/v1/completions", "x".repeat(1 << 20)).statusCode()).isEqualTo(200);
            assertThat(server.post("/v1/completions", "x".repeat((1 << 20) + 1)).statusCode()).isEqualTo(503);
            assertThat(server.post("/v1/completions", "x".repeat(1 << 20)).statusCode()).as("nothing is kept").isEqualTo(200);
        }
    }

    @Test
    void aConnectionTooManyIsToldSo() throws Exception {
        var limits = limits(Duration.ofSeconds(20), Duration.ofSeconds(5), Duration.ofSeconds(1));
        try (var server = TestServer.open(limits, (endpoint, id, body, sink) -> sink.document(segment("{}")));
                RawConnection first = server.connect().send(request("GET", "/health"));
                RawConnection second = server.connect().send(request("GET", "/health"))) {
            assertThat(first.read().status()).isEqualTo(200);
            assertThat(second.read().status()).isEqualTo(200);

            try (RawConnection third = server.connect()) {
                RawConnection.Answer answer = third.read();
                assertThat(answer.status()).isEqualTo(503);
                assertThat(answer.headers()).containsEntry("retry-after", "1");
                assertThat(third.isEnded()).isTrue();
            }

            first.socket.close();
            await().atMost(SOON).until(() -> {
                try (RawConnection again = server.connect().send(request("GET", "/health"))) {
                    return again.read().status() == 200;
                }
            });
        }
    }

    @Test
    void manyDeparturesLeaveNothingBehind() {
        var running = new AtomicInteger();
        var endless = new EndlessRunner();
        RequestRunner counted = (endpoint, id, body, sink) -> {
            running.incrementAndGet();
            try {
                endless.runner().run(endpoint, id, body, sink);
            } finally {
                running.decrementAndGet();
            }
        };
        try (var server = TestServer.open(counted)) {
            for (int i = 0; i < 40; i++) {
                try (RawConnection connection = server.connect().send(post("/v1/chat/completions", "{}"))) {
                    if (i % 2 == 0) {
                        assertThat(connection.readHead().status()).isEqualTo(200);
                    }
                }
            }
            await().atMost(SOON).until(() -> server.server.requestsInFlight() == 0 && running.get() == 0);
        }
    }
}
