package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.content.Content;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler.ClientHandshakeStateEvent;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.proxy.HttpProxyHandler;
import io.netty.handler.proxy.ProxyConnectException;
import io.netty.handler.proxy.ProxyHandler;
import io.netty.handler.proxy.Socks5ProxyHandler;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.resolver.NoopAddressResolverGroup;
import io.netty.util.AttributeKey;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;

/**
 * An open WebSocket to a coordinator (RFC 6455). Netty's loop moves frames; whoever owns the socket takes its {@link #events} and sends from any
 * thread.
 *
 * <p>Messages come as {@link SocketEvent.Frame}, which their taker closes. When more than {@link SocketSettings#heldBytes} lie untaken, the socket
 * stops reading until some are taken. Closing it, from either side, is told by one last {@link SocketEvent.Ended}.
 */
final class CoordinatorSocket implements Outlet, AutoCloseable {
    private static final AttributeKey<LinkEnd> CAUSE = AttributeKey.valueOf(CoordinatorSocket.class, "cause");
    /** Largest message that coordinators take (provider protocol, 1). */
    static final int MOST_SENT_BYTES = 10 << 20;
    private static final int HANDSHAKE_BYTES = 64 << 10;
    private static final long CLOSE_LIMIT_MILLIS = 2_000;

    private final BlockingQueue<SocketEvent> events = new LinkedBlockingQueue<>();
    private final AtomicLong heldBytes = new AtomicLong();
    private final AtomicBoolean ended = new AtomicBoolean();
    private final SocketSettings settings;
    private final Object room = new Object();
    private volatile Channel channel;

    private CoordinatorSocket(SocketSettings settings) {
        this.settings = settings;
    }

    /** A connection did not come to be. */
    static final class Unopened extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient LinkEnd end;

        Unopened(LinkEnd end) {
            super(end.toString());
            this.end = end;
        }

        LinkEnd end() {
            return end;
        }
    }

    /**
     * Opens a socket and waits until the handshake is done.
     *
     * @param loop carries it; borrowed until the socket has ended
     * @throws Unopened when it does not come to be; nothing is left open then
     */
    static CoordinatorSocket open(CoordinatorAddress address, Optional<ProxyChoice> proxy, SocketSettings settings, EventLoopGroup loop)
            throws Unopened, InterruptedException {
        var socket = new CoordinatorSocket(settings);
        var opened = loop.next().<Void>newPromise();
        SslContext tls;
        try {
            tls = address.isTls() ? tls(settings) : null;
        } catch (SSLException e) {
            throw new Unopened(new LinkEnd(LinkEnd.Kind.UNTRUSTED, "TLS is not available here: " + e.getClass().getSimpleName()));
        }
        var bootstrap = new Bootstrap()
                .group(loop)
                .channel(NioSocketChannel.class)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) settings.connectLimit().toMillis())
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_KEEPALIVE, true)
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(settings.unsentBytes() / 2, settings.unsentBytes()))
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel made) {
                        socket.build(made, address, proxy, tls, opened);
                    }
                });
        if (proxy.isPresent()) {
            bootstrap.resolver(NoopAddressResolverGroup.INSTANCE); // the proxy looks names up
        }
        ChannelFuture connecting = bootstrap.connect(InetSocketAddress.createUnresolved(address.host(), address.port()));
        connecting.addListener(done -> {
            if (!done.isSuccess()) {
                opened.tryFailure(done.cause());
            }
        });
        try {
            if (!opened.await(settings.connectLimit().toMillis(), TimeUnit.MILLISECONDS)) {
                throw new Unopened(new LinkEnd(LinkEnd.Kind.UNREACHABLE, "no handshake within " + settings.connectLimit().toSeconds() + " s"));
            }
            if (!opened.isSuccess()) {
                throw new Unopened(meaning(opened.cause()));
            }
        } catch (Unopened | InterruptedException e) {
            socket.ended.set(true);
            connecting.channel().close();
            socket.discard();
            throw e;
        }
        return socket;
    }

    private static SslContext tls(SocketSettings settings) throws SSLException {
        if (settings.tls().isPresent()) {
            return new JdkSslContext(settings.tls().get(), true, ClientAuth.NONE);
        }
        return SslContextBuilder.forClient().build();
    }

    private void build(Channel made, CoordinatorAddress address, Optional<ProxyChoice> proxy, SslContext tls,
            io.netty.util.concurrent.Promise<Void> opened) {
        channel = made;
        var pipeline = made.pipeline();
        proxy.ifPresent(choice -> pipeline.addLast("proxy", handler(choice)));
        if (tls != null) {
            SSLEngine engine = tls.newEngine(made.alloc(), address.host(), address.port());
            SSLParameters parameters = engine.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS"); // its name, not only its authority
            engine.setSSLParameters(parameters);
            pipeline.addLast("tls", new SslHandler(engine));
        }
        var config = WebSocketClientProtocolConfig.newBuilder()
                .webSocketUri(address.socket())
                .version(WebSocketVersion.V13)
                .customHeaders(new DefaultHttpHeaders().set(HttpHeaderNames.USER_AGENT, settings.userAgent()))
                .maxFramePayloadLength(settings.frameBytes())
                .handleCloseFrames(false) // their code and reason are read below
                .sendCloseFrame(null)
                .dropPongFrames(false)
                .withUTF8Validator(false) // the decoder looks; a second pass over a large request helps nobody
                .handshakeTimeoutMillis(settings.connectLimit().toMillis())
                .build();
        pipeline.addLast(new HttpClientCodec(), new HttpObjectAggregator(HANDSHAKE_BYTES), new WebSocketClientProtocolHandler(config),
                new WebSocketFrameAggregator(settings.frameBytes()), new Frames(opened));
    }

    private static ProxyHandler handler(ProxyChoice choice) {
        var at = new InetSocketAddress(choice.host(), choice.port());
        String user = choice.login().map(ProxyChoice.Login::user).orElse(null);
        String password = choice.login().map(ProxyChoice.Login::password).orElse(null);
        return switch (choice.kind()) {
            case HTTP -> user == null ? new HttpProxyHandler(at) : new HttpProxyHandler(at, user, password);
            case SOCKS5 -> user == null ? new Socks5ProxyHandler(at) : new Socks5ProxyHandler(at, user, password);
        };
    }

    /** Returns what a failure of the transport means. Messages of exceptions are kept out where they quote what was received. */
    private static LinkEnd meaning(Throwable cause) {
        for (Throwable at = cause; at != null; at = at.getCause()) {
            switch (at) {
                case WebSocketClientHandshakeException e when e.response() != null -> {
                    return LinkEnd.ofStatus(e.response().status().code());
                }
                case java.security.cert.CertificateException _ -> {
                    return new LinkEnd(LinkEnd.Kind.UNTRUSTED, "its certificate was not accepted");
                }
                case javax.net.ssl.SSLHandshakeException _ -> {
                    return new LinkEnd(LinkEnd.Kind.UNTRUSTED, "the TLS handshake failed");
                }
                case ProxyConnectException _ -> {
                    return new LinkEnd(LinkEnd.Kind.UNREACHABLE, "the proxy did not connect");
                }
                case java.net.UnknownHostException _ -> {
                    return new LinkEnd(LinkEnd.Kind.UNREACHABLE, "its name is not known");
                }
                case TooLongFrameException _ -> {
                    return new LinkEnd(LinkEnd.Kind.VIOLATION, "sent a message that is too long");
                }
                case io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException _ -> {
                    return new LinkEnd(LinkEnd.Kind.VIOLATION, "sent what is no WebSocket frame");
                }
                default -> { }
            }
        }
        return switch (cause) {
            case java.net.ConnectException _ -> new LinkEnd(LinkEnd.Kind.UNREACHABLE, "no connection: " + briefly(cause));
            case java.io.IOException _ -> new LinkEnd(LinkEnd.Kind.LOST, "the connection broke");
            default -> new LinkEnd(LinkEnd.Kind.LOST, cause.getClass().getSimpleName());
        };
    }

    private static String briefly(Throwable cause) {
        String message = String.valueOf(cause.getMessage());
        return message.contains("refused") ? "refused" : message.contains("timed out") ? "timed out" : cause.getClass().getSimpleName();
    }

    /** Takes frames off the wire; on the loop. */
    private final class Frames extends SimpleChannelInboundHandler<WebSocketFrame> {
        private final io.netty.util.concurrent.Promise<Void> opened;

        Frames(io.netty.util.concurrent.Promise<Void> opened) {
            this.opened = opened;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
                opened.trySuccess(null);
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            switch (frame) {
                case TextWebSocketFrame text -> take(ctx, text.content());
                case BinaryWebSocketFrame binary -> take(ctx, binary.content());
                case PongWebSocketFrame _ -> events.add(new SocketEvent.Pong());
                case CloseWebSocketFrame close -> {
                    ctx.channel().attr(CAUSE).setIfAbsent(LinkEnd.ofClose(close.statusCode(), close.reasonText()));
                    ctx.writeAndFlush(close.retain()).addListener(_ -> ctx.close());
                }
                default -> { }
            }
        }

        private void take(ChannelHandlerContext ctx, ByteBuf bytes) {
            int size = bytes.readableBytes();
            var message = Content.allocate(size);
            for (var part : bytes.nioBuffers()) {
                message.append(MemorySegment.ofBuffer(part));
            }
            events.add(new SocketEvent.Frame(message));
            if (heldBytes.addAndGet(size) > settings.heldBytes()) {
                ctx.channel().config().setAutoRead(false);
                if (heldBytes.get() <= settings.heldBytes()) {
                    ctx.channel().config().setAutoRead(true); // taken meanwhile
                }
            }
            if (ended.get()) {
                discard();
            }
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext ctx) {
            synchronized (room) {
                room.notifyAll();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.channel().attr(CAUSE).setIfAbsent(meaning(cause));
            opened.tryFailure(cause);
            ctx.close();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            LinkEnd cause = ctx.channel().attr(CAUSE).get();
            opened.tryFailure(new java.net.ConnectException("closed during the handshake"));
            end(cause == null ? LinkEnd.ofClose(1006, "") : cause);
        }
    }

    private void end(LinkEnd why) {
        if (ended.compareAndSet(false, true)) {
            events.add(new SocketEvent.Ended(why));
        }
        synchronized (room) {
            room.notifyAll();
        }
    }

    /**
     * Waits for the next event.
     *
     * @param nanos longest wait; nothing to look only
     * @return empty when there was none in time
     */
    Optional<SocketEvent> next(long nanos) throws InterruptedException {
        SocketEvent event = events.poll(Math.max(0, nanos), TimeUnit.NANOSECONDS);
        if (event instanceof SocketEvent.Frame(Content message) && heldBytes.addAndGet(-message.length()) <= settings.heldBytes()) {
            channel.config().setAutoRead(true);
        }
        return Optional.ofNullable(event);
    }

    /** Has {@link #next} return at once, for an owner that has something else to look at. Any thread. */
    void wake() {
        events.add(new SocketEvent.Wake());
    }

    /** Returns whether senders need not wait. */
    boolean hasRoom() {
        Channel at = channel;
        return at.isWritable();
    }

    /** Waits until senders need not wait; at once when the socket has ended and it makes no difference. */
    @Override
    public boolean awaitRoom(long nanos) throws InterruptedException {
        long deadline = System.nanoTime() + nanos;
        synchronized (room) {
            while (!channel.isWritable() && !ended.get()) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return false;
                }
                room.wait(left);
            }
        }
        return true;
    }

    /**
     * Sends one message as a text frame; {@link IllegalArgumentException} for more than coordinators take. What was on its way when the
     * connection broke is told by {@link SocketEvent.Ended}.
     */
    @Override
    public void send(MemorySegment json, long size) {
        Channel at = channel;
        at.writeAndFlush(frame(at, json, size), at.voidPromise());
    }

    /** As {@link #send(MemorySegment, long)}; {@code onWritten} runs on the loop when the system has taken the frame. */
    void send(MemorySegment json, long size, Runnable onWritten) {
        Channel at = channel;
        at.writeAndFlush(frame(at, json, size)).addListener(done -> {
            if (done.isSuccess()) {
                onWritten.run();
            }
        });
    }

    private static TextWebSocketFrame frame(Channel at, MemorySegment json, long size) {
        if (size > MOST_SENT_BYTES) {
            throw new IllegalArgumentException("a message of " + size + " bytes; coordinators take " + MOST_SENT_BYTES);
        }
        ByteBuf bytes = at.alloc().directBuffer((int) size);
        bytes.writeBytes(json.asSlice(0, size).asByteBuffer());
        return new TextWebSocketFrame(bytes);
    }

    /** Sends a ping. */
    void ping() {
        Channel at = channel;
        at.writeAndFlush(new PingWebSocketFrame(at.alloc().directBuffer(16).writeBytes("darkbloom-agent".getBytes(
                java.nio.charset.StandardCharsets.US_ASCII))), at.voidPromise());
    }

    /**
     * Ends the connection with a close frame and the reason {@code why}; returns when it is closed, or after two seconds.
     *
     * @param code RFC 6455, 7.4; 1000 for a planned end
     */
    void close(int code, LinkEnd why) {
        Channel at = channel;
        at.attr(CAUSE).setIfAbsent(why);
        if (at.isActive()) {
            at.writeAndFlush(new CloseWebSocketFrame(code, "")).addListener(_ -> at.close());
            at.closeFuture().awaitUninterruptibly(CLOSE_LIMIT_MILLIS);
        }
        at.close().awaitUninterruptibly(CLOSE_LIMIT_MILLIS);
        end(why);
    }

    /** Breaks the connection without a word, if it is still open, and frees what was not taken. */
    @Override
    public void close() {
        Channel at = channel;
        at.close().awaitUninterruptibly(CLOSE_LIMIT_MILLIS);
        ended.set(true);
        discard();
    }

    private void discard() {
        for (SocketEvent event = events.poll(); event != null; event = events.poll()) {
            if (event instanceof SocketEvent.Frame(Content message)) {
                message.close();
            }
        }
    }
}
