package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.content.Content;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler.ClientHandshakeStateEvent;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.Promise;
import java.lang.foreign.MemorySegment;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

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
    /** What a message costs besides its bytes, so that many small ones count. */
    private static final int FRAME_COST = 1 << 10;
    private static final int HANDSHAKE_BYTES = 64 << 10;
    private static final long CLOSE_LIMIT_MILLIS = 2_000;

    private final BlockingQueue<SocketEvent> events = new LinkedBlockingQueue<>();
    private final AtomicLong heldBytes = new AtomicLong();
    private final AtomicBoolean pongUntaken = new AtomicBoolean();
    private final AtomicBoolean ended = new AtomicBoolean();
    private final CoordinatorRoute route;
    private final SocketSettings settings;
    private final Object room = new Object();
    private volatile Channel channel;

    private CoordinatorSocket(CoordinatorRoute route, SocketSettings settings) {
        this.route = route;
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
    static CoordinatorSocket open(CoordinatorRoute route, SocketSettings settings, EventLoopGroup loop) throws Unopened, InterruptedException {
        var socket = new CoordinatorSocket(route, settings);
        var opened = loop.next().<Void>newPromise();
        var bootstrap = new Bootstrap()
                .group(loop)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_KEEPALIVE, true)
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(settings.unsentBytes() / 2, settings.unsentBytes()));
        ChannelFuture connecting;
        try {
            connecting = route.dial(bootstrap, settings.connectLimit(), pipeline -> socket.build(pipeline, opened));
        } catch (UnknownHostException e) {
            throw new Unopened(TransportFailure.of(e, route));
        }
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
                throw new Unopened(TransportFailure.of(opened.cause(), route));
            }
        } catch (Unopened | InterruptedException e) {
            socket.ended.set(true);
            connecting.channel().close();
            socket.discard();
            throw e;
        }
        return socket;
    }

    private void build(ChannelPipeline pipeline, Promise<Void> opened) {
        channel = pipeline.channel();
        var config = WebSocketClientProtocolConfig.newBuilder()
                .webSocketUri(route.address().socket())
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

    /** Takes frames off the wire; on the loop. */
    private final class Frames extends SimpleChannelInboundHandler<WebSocketFrame> {
        private final Promise<Void> opened;

        Frames(Promise<Void> opened) {
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
                case PongWebSocketFrame _ -> {
                    if (pongUntaken.compareAndSet(false, true)) { // a second one says nothing new
                        events.add(new SocketEvent.Pong());
                    }
                }
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
            if (heldBytes.addAndGet(size + FRAME_COST) > settings.heldBytes()) {
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
            ctx.channel().attr(CAUSE).setIfAbsent(TransportFailure.of(cause, route));
            opened.tryFailure(cause);
            ctx.close();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            LinkEnd cause = ctx.channel().attr(CAUSE).get();
            opened.tryFailure(new ConnectException(TransportFailure.CLOSED + " during the handshake"));
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
        if (event instanceof SocketEvent.Pong) {
            pongUntaken.set(false);
        }
        if (event instanceof SocketEvent.Frame(Content message) && heldBytes.addAndGet(-message.length() - FRAME_COST) <= settings.heldBytes()) {
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

    /** Returns whether more lies unsent than a coordinator that reads at all would leave. */
    boolean isClogged() {
        return channel.bytesBeforeWritable() > settings.mostUnsentBytes();
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
