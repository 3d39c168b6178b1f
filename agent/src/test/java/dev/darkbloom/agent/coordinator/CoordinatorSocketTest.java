package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.coordinator.CoordinatorSocket.Unopened;
import dev.darkbloom.agent.testing.coordinator.WebSocketPeer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CoordinatorSocketTest {
    private static final long LONG = TimeUnit.SECONDS.toNanos(10);
    private static final SocketSettings SETTINGS = SocketSettings.defaults("test/1");

    private final EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private WebSocketPeer peer;
    private long contents;

    @BeforeEach
    void open() {
        peer = WebSocketPeer.open();
        contents = Content.openCount();
    }

    @AfterEach
    void close() {
        peer.close();
        loop.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        assertThat(Content.openCount()).isEqualTo(contents);
    }

    @Test
    void messagesGoBothWays() throws Exception {
        try (var socket = dial(SETTINGS)) {
            var connection = peer.accept();

            socket.send(text("{\"a\":1}"), 7);
            connection.send("{\"b\":\"ü\"}");

            assertThat(connection.receive()).isEqualTo("{\"a\":1}");
            assertThat(message(socket)).isEqualTo("{\"b\":\"ü\"}");
        }
    }

    @Test
    void aPingIsAnsweredByAPong() throws Exception {
        try (var socket = dial(SETTINGS)) {
            var connection = peer.accept();

            socket.ping();

            assertThat(socket.next(LONG)).containsInstanceOf(SocketEvent.Pong.class);
            assertThat(connection.pings()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @CsvSource({"1000, replaced by new connection from same device, REPLACED", "1008, no, VIOLATION", "1013, later, BUSY", "1000, goodbye, CLOSED"})
    void aCloseFrameIsTheLastEvent(int code, String reason, LinkEnd.Kind kind) throws Exception {
        try (var socket = dial(SETTINGS)) {
            peer.accept().close(code, reason);

            assertThat(end(socket).kind()).isEqualTo(kind);
            assertThat(socket.next(0)).isEmpty();
        }
    }

    @Test
    void aBrokenConnectionIsLost() throws Exception {
        try (var socket = dial(SETTINGS)) {
            peer.accept().drop();

            assertThat(end(socket).kind()).isEqualTo(LinkEnd.Kind.LOST);
        }
    }

    @Test
    void closingSendsACloseFrameAndTellsWhy() throws Exception {
        try (var socket = dial(SETTINGS)) {
            var connection = peer.accept();
            var why = new LinkEnd(LinkEnd.Kind.SLEPT, "test");

            socket.close(1000, why);

            assertThat(connection.awaitEnd()).isEqualTo("1000");
            assertThat(end(socket)).isEqualTo(why);
        }
    }

    @ParameterizedTest
    @CsvSource({"401, UNAUTHORIZED", "403, UNAUTHORIZED", "404, NOT_A_COORDINATOR", "426, OUTDATED", "503, BUSY"})
    void aRefusedHandshakeSaysWhatItMeans(int status, LinkEnd.Kind kind) {
        peer.refuseWith(status);

        assertThatThrownBy(() -> dial(SETTINGS)).isInstanceOfSatisfying(Unopened.class, e -> assertThat(e.end().kind()).isEqualTo(kind));
    }

    @Test
    void nobodyThereIsUnreachable() throws Exception {
        int free;
        try (var probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            free = probe.getLocalPort();
        }

        assertThatThrownBy(() -> dial("ws://127.0.0.1:" + free, SETTINGS)).isInstanceOfSatisfying(Unopened.class,
                e -> assertThat(e.end()).isEqualTo(new LinkEnd(LinkEnd.Kind.UNREACHABLE, "no connection: refused")));
    }

    @Test
    void aServerThatSaysNothingIsGivenUp() throws Exception {
        try (var mute = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThatThrownBy(() -> dial("ws://127.0.0.1:" + mute.getLocalPort(), limited(Duration.ofMillis(300), 1 << 20)))
                    .isInstanceOfSatisfying(Unopened.class, e -> assertThat(e.end().kind()).isIn(LinkEnd.Kind.UNREACHABLE, LinkEnd.Kind.LOST));
        }
    }

    @Test
    void aServerThatSpeaksSomethingElseIsNoCoordinator() throws Exception {
        try (var other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread.ofVirtual().start(() -> {
                try (var client = other.accept()) {
                    client.getOutputStream().write("SSH-2.0-x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                    client.getOutputStream().flush();
                    client.getInputStream().readAllBytes();
                } catch (IOException e) {
                    // the client closed
                }
            });

            assertThatThrownBy(() -> dial("ws://127.0.0.1:" + other.getLocalPort(), limited(Duration.ofSeconds(5), 1 << 20)))
                    .isInstanceOf(Unopened.class);
        }
    }

    @Test
    void aMessageOf32MebibytesIsTaken() throws Exception {
        try (var socket = dial(SETTINGS)) {
            peer.accept().sendPadded(32 << 20, "{}");

            var event = socket.next(LONG).orElseThrow();

            try (Content message = ((SocketEvent.Frame) event).message()) {
                assertThat(message.length()).isEqualTo((32 << 20) + 2);
            }
        }
    }

    @Test
    void aMessageBeyondTheLimitEndsTheConnection() throws Exception {
        try (var socket = dial(limited(Duration.ofSeconds(5), 1000))) {
            peer.accept().sendPadded(2000, "{}");

            assertThat(end(socket).kind()).isIn(LinkEnd.Kind.VIOLATION, LinkEnd.Kind.LOST);
        }
    }

    @Test
    void garbageInPlaceOfAFrameEndsTheConnection() throws Exception {
        try (var socket = dial(SETTINGS)) {
            peer.accept().sendRaw(new byte[] {(byte) 0xFF, (byte) 0xFF, 1, 2, 3, 4, 5, 6, 7, 8});

            assertThat(end(socket).kind()).isIn(LinkEnd.Kind.VIOLATION, LinkEnd.Kind.LOST);
        }
    }

    @Test
    void halfAFrameAndThenNothingIsALostConnection() throws Exception {
        try (var socket = dial(SETTINGS)) {
            var connection = peer.accept();
            connection.sendRaw(new byte[] {(byte) 0x81, 0x05, '{'});
            connection.drop();

            assertThat(end(socket).kind()).isEqualTo(LinkEnd.Kind.LOST);
        }
    }

    @Test
    void aFloodIsNotReadFasterThanItIsTaken() throws Exception {
        var settings = new SocketSettings(Duration.ofSeconds(5), 1 << 20, 1 << 20, 64 << 10, "test/1");
        try (var socket = dial(settings)) {
            var connection = peer.accept();
            for (int i = 0; i < 400; i++) {
                connection.sendPadded(1 << 16, "{\"n\":" + i + "}");
            }

            long open = Content.openCount() - contents;
            for (int i = 0; i < 400; i++) {
                open = Math.max(open, Content.openCount() - contents);
                assertThat(message(socket)).endsWith("{\"n\":" + i + "}");
            }

            assertThat(open).isLessThan(150); // of 400: what one read brings lies on top of the limit of 16
        }
    }

    @Test
    void aFloodOfTinyMessagesIsNotReadFasterThanItIsTaken() throws Exception {
        int messages = 300_000;
        var settings = new SocketSettings(Duration.ofSeconds(5), 1 << 20, 1 << 20, 64 << 10, "test/1");
        try (var socket = dial(settings)) {
            peer.accept().sendPadded(0, "{}", messages);

            int mostHeld = 1024 + 65_536 / 4; // the limit, at a cost of 1 KiB each, and what one read brings
            await().during(Duration.ofMillis(500)).untilAsserted(() -> assertThat(Content.openCount() - contents).isBetween(1L, (long) mostHeld));
            for (int i = 0; i < messages; i++) {
                assertThat(message(socket)).isEqualTo("{}");
            }
        }
    }

    @Test
    void aFloodOfPongsIsOneEvent() throws Exception {
        var pongs = new byte[200_000];
        for (int i = 0; i < pongs.length; i += 2) {
            pongs[i] = (byte) 0x8A;
        }
        try (var socket = dial(SETTINGS)) {
            var connection = peer.accept();
            connection.sendRaw(pongs);
            connection.send("{}");
            await().until(() -> Content.openCount() > contents);

            assertThat(socket.next(LONG)).containsInstanceOf(SocketEvent.Pong.class);
            assertThat(message(socket)).isEqualTo("{}");
        }
    }

    @Test
    void aReaderThatStallsMakesSendersWait() throws Exception {
        var settings = new SocketSettings(Duration.ofSeconds(5), 1 << 20, 1 << 20, 64 << 10, "test/1");
        try (var socket = dial(settings); var arena = Arena.ofConfined()) {
            var connection = peer.accept();
            connection.read(false);
            MemorySegment large = arena.allocate(1 << 20).fill((byte) ' ');
            for (int i = 0; i < 64 && socket.hasRoom(); i++) {
                socket.send(large, large.byteSize());
            }

            assertThat(socket.awaitRoom(1)).isFalse();
            connection.read(true);
            assertThat(socket.awaitRoom(LONG)).isTrue();
        }
    }

    @Test
    void aMessageThatNoCoordinatorTakesIsNotSent() throws Exception {
        try (var socket = dial(SETTINGS); var arena = Arena.ofConfined()) {
            MemorySegment huge = arena.allocate(CoordinatorSocket.MOST_SENT_BYTES + 1);

            assertThatThrownBy(() -> socket.send(huge, huge.byteSize())).isInstanceOf(IllegalArgumentException.class);
            peer.accept();
        }
    }

    private CoordinatorSocket dial(SocketSettings settings) throws Exception {
        return dial(peer.url(), settings);
    }

    private CoordinatorSocket dial(String url, SocketSettings settings) throws Exception {
        return CoordinatorSocket.open(CoordinatorRoute.of(CoordinatorAddress.parse(url), Map.of(), Optional.empty()), settings, loop);
    }

    private static SocketSettings limited(Duration connect, int frameBytes) {
        return new SocketSettings(connect, frameBytes, 64 << 20, 64 << 10, "test/1");
    }

    private static MemorySegment text(String text) {
        return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String message(CoordinatorSocket socket) throws InterruptedException {
        try (Content message = ((SocketEvent.Frame) socket.next(LONG).orElseThrow()).message()) {
            return new String(message.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        }
    }

    private static LinkEnd end(CoordinatorSocket socket) throws InterruptedException {
        return ((SocketEvent.Ended) socket.next(LONG).orElseThrow()).end();
    }
}
