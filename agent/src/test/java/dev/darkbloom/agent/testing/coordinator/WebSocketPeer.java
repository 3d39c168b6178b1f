package dev.darkbloom.agent.testing.coordinator;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler.HandshakeComplete;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * The server's side of a WebSocket on loopback, under a test's control: it accepts connections at {@code /ws/provider}, hands over what comes, and
 * sends, breaks and stalls as it is told. It knows nothing of the protocol.
 */
public final class WebSocketPeer implements AutoCloseable {
    private static final String PATH = "/ws/provider";

    private final EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    private final BlockingQueue<Connection> accepted = new LinkedBlockingQueue<>();
    private final AtomicInteger handshakes = new AtomicInteger();
    private final Channel listener;
    private final boolean secure;
    private volatile int refusal;
    private volatile Map.Entry<String, String> refusalHeader = Map.entry("Content-Type", "application/json");
    private volatile Function<FullHttpRequest, Optional<String>> pages = _ -> Optional.empty();

    private WebSocketPeer(int port, Optional<SslContext> tls) {
        secure = tls.isPresent();
        listener = new ServerBootstrap().group(loop).channel(NioServerSocketChannel.class)
                .option(io.netty.channel.ChannelOption.SO_REUSEADDR, true)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channels.add(channel);
                        tls.ifPresent(context -> channel.pipeline().addLast(context.newHandler(channel.alloc())));
                        channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(1 << 20), new Pages(),
                                new WebSocketServerProtocolHandler(WebSocketServerProtocolConfig.newBuilder().websocketPath(PATH)
                                        .maxFramePayloadLength(16 << 20).handleCloseFrames(false).sendCloseFrame(null).dropPongFrames(false).build()),
                                new WebSocketFrameAggregator(16 << 20), new Handler());
                    }
                })
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)).syncUninterruptibly().channel();
    }

    /** Opens a server on a free port of loopback. */
    public static WebSocketPeer open() {
        return new WebSocketPeer(0, Optional.empty());
    }

    /** Opens a server on {@code port}, where one was closed. */
    public static WebSocketPeer openAt(int port) {
        return new WebSocketPeer(port, Optional.empty());
    }

    /** Opens a server that speaks TLS. */
    public static WebSocketPeer open(SslContext tls) {
        return new WebSocketPeer(0, Optional.of(tls));
    }

    public int port() {
        return ((InetSocketAddress) listener.localAddress()).getPort();
    }

    /** Returns the address as an agent is told it. */
    public String url() {
        return (secure ? "wss://localhost:" : "ws://127.0.0.1:") + port() + PATH;
    }

    /** Answers handshakes with an HTTP status from now on; 0 accepts them. */
    public void refuseWith(int status) {
        refuseWith(status, "Content-Type", "application/json");
    }

    /** As the other, with a header. */
    public void refuseWith(int status, String header, String value) {
        refusalHeader = Map.entry(header, value);
        refusal = status;
    }

    /** Has other requests answered with 200 and the JSON that {@code answers} returns; with 404 where that is empty. */
    public void servePages(Function<FullHttpRequest, Optional<String>> answers) {
        pages = answers;
    }

    /** Returns how often somebody asked for a handshake. */
    public int handshakes() {
        return handshakes.get();
    }

    /** Waits for the next connection. */
    public Connection accept() {
        return take(accepted, "no connection");
    }

    /** Returns the next connection if there is one within {@code millis}. */
    public Optional<Connection> accept(long millis) {
        try {
            return Optional.ofNullable(accepted.poll(millis, TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static <T> T take(BlockingQueue<T> queue, String otherwise) {
        try {
            T found = queue.poll(10, TimeUnit.SECONDS);
            if (found == null) {
                throw new AssertionError(otherwise + " within 10 s");
            }
            return found;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        listener.close().syncUninterruptibly();
        channels.close().awaitUninterruptibly(); // a loop that ends was seen to leave some open
        loop.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    /** One connection. */
    public static final class Connection {
        private final Channel channel;
        private final BlockingQueue<String> texts = new LinkedBlockingQueue<>();
        private final BlockingQueue<String> ends = new LinkedBlockingQueue<>();
        private final AtomicInteger pings = new AtomicInteger();
        private volatile boolean answersPings = true;

        private Connection(Channel channel) {
            this.channel = channel;
        }

        /** Waits for the next message. */
        public String receive() {
            return take(texts, "no message");
        }

        /** Returns the next message if there is one within {@code millis}; empty also when the connection ended. */
        public Optional<String> receive(long millis) {
            try {
                return Optional.ofNullable(texts.poll(millis, TimeUnit.MILLISECONDS));
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        public void send(String json) {
            channel.writeAndFlush(new TextWebSocketFrame(json));
        }

        /** Sends a message and waits until the system has it; returns when that was, by {@link System#nanoTime}. */
        public long sendNow(String json) {
            var sent = new CompletableFuture<Long>();
            channel.writeAndFlush(new TextWebSocketFrame(json)).addListener(done -> {
                if (done.isSuccess()) {
                    sent.complete(System.nanoTime());
                } else {
                    sent.completeExceptionally(done.cause());
                }
            });
            return sent.join();
        }

        /** Sends bytes as they are, behind WebSocket's back. */
        public void sendRaw(byte[] bytes) {
            ByteBuf raw = Unpooled.wrappedBuffer(bytes);
            ChannelHandlerContext first = channel.pipeline().firstContext();
            if (first != null) { // a closed channel has none
                first.writeAndFlush(raw);
            }
        }

        /** Sends a message of {@code size} spaces and {@code json} behind them. */
        public void sendPadded(int size, String json) {
            ByteBuf bytes = channel.alloc().buffer(size + json.length());
            bytes.writeBytes(" ".repeat(size).getBytes(StandardCharsets.US_ASCII)).writeBytes(json.getBytes(StandardCharsets.UTF_8));
            channel.writeAndFlush(new TextWebSocketFrame(bytes));
        }

        /** Sends a message of {@code size} spaces and {@code json} behind them several times; all share their memory. */
        public void sendPadded(int size, String json, int times) {
            ByteBuf bytes = channel.alloc().directBuffer(size + json.length());
            bytes.writeBytes(" ".repeat(size).getBytes(StandardCharsets.US_ASCII)).writeBytes(json.getBytes(StandardCharsets.UTF_8));
            for (int i = 0; i < times; i++) {
                channel.write(new TextWebSocketFrame(bytes.retainedDuplicate()));
            }
            channel.flush();
            bytes.release();
        }

        /** Closes with a code. */
        public void close(int code, String reason) {
            channel.writeAndFlush(new CloseWebSocketFrame(code, reason)).addListener(_ -> channel.close());
        }

        /** Breaks the connection without a close frame. */
        public void drop() {
            channel.close();
        }

        /** Leaves pings unanswered from now on. */
        public void ignorePings() {
            answersPings = false;
        }

        /** Stops, or goes on, reading what comes. */
        public void read(boolean on) {
            channel.config().setAutoRead(on);
        }

        public int pings() {
            return pings.get();
        }

        /** Waits for the connection's end; returns the close frame's code, or {@code 1006} for none. */
        public String awaitEnd() {
            return take(ends, "no end");
        }

        public boolean isOpen() {
            return channel.isActive();
        }
    }

    /** Answers what is no handshake, and handshakes that are refused. */
    private final class Pages extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            if (!(message instanceof FullHttpRequest request)) {
                ctx.fireChannelRead(message);
                return;
            }
            boolean handshake = request.uri().equals(PATH);
            if (handshake) {
                handshakes.incrementAndGet();
            }
            if (handshake && refusal == 0) {
                ctx.fireChannelRead(message);
                return;
            }
            Optional<String> page = handshake ? Optional.empty() : pages.apply(request);
            var status = HttpResponseStatus.valueOf(handshake ? refusal : page.isPresent() ? 200 : 404);
            request.release();
            var answer = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status,
                    Unpooled.copiedBuffer(page.orElse("{}"), StandardCharsets.UTF_8));
            answer.headers().set(HttpHeaderNames.CONTENT_LENGTH, answer.content().readableBytes())
                    .set(HttpHeaderNames.CONTENT_TYPE, "application/json");
            if (handshake) {
                answer.headers().set(refusalHeader.getKey(), refusalHeader.getValue());
            }
            ctx.writeAndFlush(answer).addListener(_ -> {
                if (handshake) {
                    ctx.close();
                }
            });
        }
    }

    private static final class Pings extends SimpleChannelInboundHandler<PingWebSocketFrame> {
        private final Connection connection;

        Pings(Connection connection) {
            this.connection = connection;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, PingWebSocketFrame ping) {
            connection.pings.incrementAndGet();
            if (connection.answersPings) {
                ctx.writeAndFlush(new PongWebSocketFrame(ping.content().retain()));
            }
        }
    }

    private final class Handler extends SimpleChannelInboundHandler<WebSocketFrame> {
        private Connection connection;
        private String code = "1006";

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof HandshakeComplete) {
                connection = new Connection(ctx.channel());
                String protocol = ctx.pipeline().context(WebSocketServerProtocolHandler.class).name();
                ctx.pipeline().addBefore(protocol, "pings", new Pings(connection)); // which would answer every ping
                accepted.add(connection);
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            switch (frame) {
                case TextWebSocketFrame text -> connection.texts.add(text.text());
                case CloseWebSocketFrame close -> {
                    code = Integer.toString(close.statusCode());
                    ctx.writeAndFlush(close.retain()).addListener(_ -> ctx.close());
                }
                default -> { }
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (connection != null) {
                connection.ends.add(code);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
