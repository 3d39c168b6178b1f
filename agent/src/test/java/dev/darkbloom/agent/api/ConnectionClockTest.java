package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.Redacted;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A connection's pipeline on a clock of the test's. Everything here is answered on the event loop. */
@ExtendWith(NoBufferLeaks.class)
class ConnectionClockTest {
    private static final ApiLimits LIMITS = ApiLimits.DEFAULT;

    private final MockTicker ticker = Ticker.newMockTicker();
    private final InFlight inFlight = new InFlight();
    private final EmbeddedChannel channel = channel();

    private EmbeddedChannel channel() {
        var settings = new ApiSettings("127.0.0.1", 0, Optional.of(new Redacted("key")), Set.of(), LIMITS);
        var services = new ApiServices(
                (endpoint, id, body, sink) -> { }, new FakeModels(), ModelCards.NONE, PropsSource.NONE,
                new PrometheusMeterRegistry(PrometheusConfig.DEFAULT));
        var hosts = AllowedHosts.of("127.0.0.1", InetAddress.getLoopbackAddress());
        ServerParts parts = ServerParts.of(settings, services, hosts, new RequestThreads(), inFlight, () -> false);
        var connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
        return EmbeddedChannel.builder().ticker(ticker).handlers(new ConnectionSetup(parts, connections, ticker)).build();
    }

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
        assertThat(inFlight.count()).isZero();
    }

    private void send(String text) {
        channel.writeInbound(Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII));
    }

    private void pass(long seconds) {
        ticker.advance(seconds, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
    }

    private String answer() {
        var text = new StringBuilder();
        for (ByteBuf part = channel.readOutbound(); part != null; part = channel.readOutbound()) {
            text.append(part.toString(StandardCharsets.UTF_8));
            part.release();
        }
        return text.toString();
    }

    @Test
    void aConnectionThatSaysNothingIsClosed() {
        pass(LIMITS.idleTime().toSeconds() - 1);
        assertThat(channel.isOpen()).isTrue();
        pass(1);
        assertThat(channel.isOpen()).isFalse();
        assertThat(answer()).isEmpty();
    }

    @Test
    void headersThatTrickleInAreATimeout() {
        for (int i = 0; i < LIMITS.headTime().toSeconds(); i++) {
            send(i == 0 ? "GET / HTTP/1.1\r\n" : "X-" + i + ": 1\r\n");
            assertThat(answer()).isEmpty();
            pass(1);
        }
        assertThat(answer()).startsWith("HTTP/1.1 408 ").contains("connection: close").contains("\"code\":\"request_timeout\"");
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void aBodyThatTricklesInIsATimeout() {
        send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\nContent-Length: 1000\r\n\r\n");
        for (int i = 0; i < LIMITS.bodyTime().toSeconds(); i++) {
            assertThat(answer()).isEmpty();
            send("x");
            pass(1);
        }
        pass(1);
        assertThat(answer()).startsWith("HTTP/1.1 408 ");
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void aLargeBodyThatKeepsComingHasItsTime() {
        int seconds = 10 * (int) LIMITS.bodyTime().toSeconds();
        int each = 2 * LIMITS.bodyBytesPerSecond();
        send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\nContent-Length: 2000000\r\n\r\n");
        for (int i = 0; i < seconds && (long) (i + 2) * each < 2_000_000; i++) {
            send("x".repeat(each));
            pass(1);
            assertThat(answer()).isEmpty();
        }
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void timeStartsAgainWithEachRequest() {
        for (int i = 0; i < 10; i++) {
            send("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\n\r\n");
            assertThat(answer()).startsWith("HTTP/1.1 404 ");
            pass(LIMITS.headTime().toSeconds() + 1);
            assertThat(channel.isOpen()).isTrue();
        }
        pass(LIMITS.idleTime().toSeconds());
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void requestsThatArriveTogetherAreAnsweredWithoutRecursion() {
        String one = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\n\r\n";
        send(one.repeat(400));
        assertThat(answer().split("HTTP/1.1 404 ", -1)).hasSize(401);
    }

    @Test
    void aHeadCutOffByTheEndIsNotAnswered() {
        send("GET /nowhere HTTP/1.1\r\nHost: loc");
        channel.close();
        assertThat(answer()).isEmpty();
    }
}
