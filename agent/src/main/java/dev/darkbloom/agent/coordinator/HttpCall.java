package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * One HTTP request and its answer, on a connection of its own that goes the coordinator's route. The caller's thread blocks; {@link #close} may
 * be called by any, and more than once.
 */
final class HttpCall implements AutoCloseable {
    /** Parts of a body that may lie unread before the connection stops reading. */
    private static final int MOST_PARTS = 64;

    private final CoordinatorRoute route;
    private final long stepNanos;
    private final long deadlineNanos;
    private final BlockingQueue<Part> parts = new LinkedBlockingQueue<>();
    private volatile Channel channel;

    /** What comes, in order: a head, bytes, an end; or a failure. */
    private sealed interface Part {
        record Head(int status, Map<String, String> headers) implements Part {}

        record Bytes(byte[] bytes) implements Part {}

        record End() implements Part {}

        record Failed(LinkEnd why) implements Part {}
    }

    /**
     * How long it may take.
     *
     * @param whole from now to the end of the body
     * @param step for the connection, its proxy and TLS each, and between two parts of the answer
     */
    record Limits(Duration whole, Duration step) {
        static Limits of(Duration whole) {
            return new Limits(whole, whole);
        }
    }

    private HttpCall(CoordinatorRoute route, Limits limits) {
        this.route = route;
        stepNanos = limits.step().toNanos();
        deadlineNanos = System.nanoTime() + limits.whole().toNanos();
    }

    /**
     * Begins a call.
     *
     * @param json the body; empty for none
     * @throws AgentException {@code COORDINATOR_UNREACHABLE}
     */
    static HttpCall begin(CoordinatorRoute route, HttpMethod method, URI uri, String json, Map<String, String> headers, Limits limits,
            EventLoopGroup loop) {
        var call = new HttpCall(route, limits);
        FullHttpRequest request = request(method, uri, json, headers);
        ChannelFuture connecting;
        try {
            connecting = route.dial(new Bootstrap().group(loop), limits.step(), pipeline -> {
                call.channel = pipeline.channel();
                pipeline.addLast(new HttpClientCodec(), call.new Reader());
            });
        } catch (UnknownHostException e) {
            request.release();
            throw call.failure(TransportFailure.of(e, route));
        }
        call.channel = connecting.channel();
        connecting.addListener(done -> {
            if (done.isSuccess()) {
                connecting.channel().writeAndFlush(request); // waits for proxy and TLS
            } else {
                ReferenceCountUtil.release(request);
                call.fail(done.cause());
            }
        });
        return call;
    }

    private static FullHttpRequest request(HttpMethod method, URI uri, String json, Map<String, String> headers) {
        String target = uri.getRawPath() + (uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery());
        var request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, method, target, Unpooled.copiedBuffer(json, StandardCharsets.UTF_8));
        request.headers().set(HttpHeaderNames.HOST, uri.getRawAuthority())
                .set(HttpHeaderNames.USER_AGENT, "darkbloom-agent")
                .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        if (method.equals(HttpMethod.POST)) {
            request.headers().set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.APPLICATION_JSON)
                    .set(HttpHeaderNames.CONTENT_LENGTH, request.content().readableBytes());
        }
        headers.forEach((name, value) -> request.headers().set(name, value));
        return request;
    }

    /** Takes what comes; on the loop. */
    private final class Reader extends SimpleChannelInboundHandler<HttpObject> {
        private boolean ended;
        private boolean interim;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpObject message) {
            if (message.decoderResult().isFailure()) {
                ended = true;
                parts.add(new Part.Failed(new LinkEnd(LinkEnd.Kind.NOT_A_COORDINATOR, "what answers is no web server")));
                ctx.close();
                return;
            }
            if (message instanceof HttpResponse head) {
                interim = head.status().codeClass() == HttpStatusClass.INFORMATIONAL;
                if (!interim) {
                    parts.add(head(head));
                }
            }
            if (message instanceof HttpContent content && !interim) {
                if (content.content().isReadable()) {
                    parts.add(new Part.Bytes(ByteBufUtil.getBytes(content.content())));
                }
                if (content instanceof LastHttpContent) {
                    ended = true;
                    parts.add(new Part.End());
                    ctx.close();
                } else if (parts.size() > MOST_PARTS) {
                    ctx.channel().config().setAutoRead(false);
                    if (parts.size() <= MOST_PARTS) {
                        ctx.channel().config().setAutoRead(true); // taken meanwhile
                    }
                }
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ended = true;
            fail(cause);
            ctx.close();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (!ended) {
                fail(new ConnectException(TransportFailure.CLOSED + " before the answer's end"));
            }
        }
    }

    private static Part head(HttpResponse head) {
        var headers = new TreeMap<String, String>();
        head.headers().forEach(header -> headers.putIfAbsent(header.getKey().toLowerCase(Locale.ROOT), header.getValue()));
        return new Part.Head(head.status().code(), headers);
    }

    private void fail(Throwable cause) {
        parts.add(new Part.Failed(TransportFailure.of(cause, route)));
    }

    /** An answer's first lines. Names of headers are in small letters. */
    record Head(int status, Map<String, String> headers) {}

    /**
     * Waits for the answer to begin; to be called once, before {@link #body}.
     *
     * @throws AgentException {@code COORDINATOR_UNREACHABLE}
     */
    Head head() throws InterruptedException {
        return switch (next()) {
            case Part.Head(int status, Map<String, String> headers) -> new Head(status, headers);
            case Part.Failed(LinkEnd why) -> throw failure(why);
            case Part.Bytes _, Part.End _ -> throw new IllegalStateException("the head was taken");
        };
    }

    /** Returns the answer's body, which closes the call. Reading throws {@link IOException} when it breaks off or does not end in time. */
    InputStream body() {
        return new Body();
    }

    private final class Body extends InputStream {
        private byte[] bytes = new byte[0];
        private int at;
        private boolean ended;

        @Override
        public int read() throws IOException {
            return fill() ? bytes[at++] & 0xFF : -1;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (length == 0) {
                return 0;
            }
            if (!fill()) {
                return -1;
            }
            int count = Math.min(length, bytes.length - at);
            System.arraycopy(bytes, at, into, offset, count);
            at += count;
            return count;
        }

        private boolean fill() throws IOException {
            while (at == bytes.length && !ended) {
                try {
                    switch (next()) {
                        case Part.Bytes(byte[] more) -> {
                            bytes = more;
                            at = 0;
                        }
                        case Part.End() -> ended = true;
                        case Part.Failed(LinkEnd why) -> throw new IOException(why.detail());
                        case Part.Head _ -> throw new IOException("two answers to one request");
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new InterruptedIOException();
                }
            }
            return !ended || at < bytes.length;
        }

        @Override
        public void close() {
            HttpCall.this.close();
        }
    }

    private Part next() throws InterruptedException {
        Part part = parts.poll(Math.max(0, Math.min(stepNanos, deadlineNanos - System.nanoTime())), TimeUnit.NANOSECONDS);
        if (part == null) {
            close();
            return new Part.Failed(new LinkEnd(LinkEnd.Kind.UNREACHABLE, "no answer in time"));
        }
        if (parts.size() <= MOST_PARTS) {
            channel.config().setAutoRead(true);
        }
        return part;
    }

    private AgentException failure(LinkEnd why) {
        return new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "no answer from " + route.address().http("") + ": " + why.detail()
                + why.remedy().map(words -> "; " + words).orElse(""));
    }

    @Override
    public void close() {
        channel.close();
    }
}
