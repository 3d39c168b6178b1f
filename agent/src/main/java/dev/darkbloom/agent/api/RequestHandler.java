package dev.darkbloom.agent.api;

import dev.darkbloom.agent.api.ConnectionClock.Phase;
import dev.darkbloom.agent.api.ConnectionClock.TimedOut;
import dev.darkbloom.agent.api.RequestGate.Verdict;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Presence;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection: reads a request, has it answered, reads the next. Event loop only.
 *
 * <p>A request that is turned away keeps its connection if little of its body is left to read. Otherwise the answer goes out at once and
 * says {@code Connection: close}; then the connection lingers, taking and dropping what the client still sends: a socket closed with
 * unread bytes is reset, and a reset may overtake the answer.
 */
final class RequestHandler extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(RequestHandler.class);
    private static final byte[] NO_BODY = {};

    private final ServerParts parts;
    private final ConnectionClock clock;
    private final HeldMessages held;
    private ChannelHandlerContext context;
    private State state = State.WAITING;

    /** The request being read or answered; null between requests. */
    private Exchange current;

    /** Where its body goes; null unless {@code RECEIVING}. */
    private BodyIntake intake;

    /** Answers it once its body has come and been dropped; null unless {@code DISCARDING}. */
    private Consumer<Exchange> answer;

    /** Where the current answer goes; null until the first one. */
    private Outbox outbox;

    private long discardedBytes;

    private enum State {
        WAITING,
        RECEIVING,
        DISCARDING,
        ANSWERING,
        LINGERING
    }

    RequestHandler(ServerParts parts, ConnectionClock clock, HeldMessages held) {
        this.parts = parts;
        this.clock = clock;
        this.held = held;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        try {
            if (message instanceof HttpRequest request && state == State.WAITING) {
                begin(request);
            }
            if (message instanceof HttpContent content) {
                receive(content);
            }
        } finally {
            ReferenceCountUtil.release(message);
        }
    }

    private void begin(HttpRequest request) {
        Verdict verdict = parts.gate().judge(request);
        String method = request.method().name();
        switch (verdict) {
            case Verdict.Serve(var route, var id, var query) -> {
                open(Exchange.of(RequestIds.next(), Optional.of(route), request, parts.cors()));
                if (route.endpoint().isPresent()) {
                    receiveBody(request, route);
                } else {
                    afterBody(request, exchange -> run(exchange, null, sink -> parts.pages().answer(route, method, id, query, sink)));
                }
            }
            case Verdict.Preflight(var allow) -> {
                open(Exchange.of(RequestIds.next(), Optional.empty(), request, parts.cors()));
                afterBody(request, exchange -> {
                    HttpResponse head = parts.heads().empty(exchange, allow);
                    Cors.grant(head.headers(), request.headers());
                    reply(exchange, head, NO_BODY);
                });
            }
            case Verdict.Refuse(var error, var route, var allow) -> {
                open(Exchange.of(RequestIds.next(), route, request, parts.cors()));
                Consumer<Exchange> refusal = exchange -> refuse(exchange, error, allow);
                if (request.decoderResult().isFailure()) {
                    refusal.accept(current.closing());
                } else {
                    afterBody(request, refusal);
                }
            }
        }
    }

    private void open(Exchange exchange) {
        current = exchange;
        parts.inFlight().begin();
    }

    private void receiveBody(HttpRequest request, Route route) {
        state = State.RECEIVING;
        clock.enter(Phase.BODY);
        intake = new BodyIntake(route, parts.bodies(), HttpUtil.getContentLength(request, 0L));
        if (HttpUtil.is100ContinueExpected(request)) {
            context.writeAndFlush(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE));
        }
    }

    /** Answers once the rest of the request is off the wire, or at once where that would be long or where the client waits for a word. */
    private void afterBody(HttpRequest request, Consumer<Exchange> next) {
        if (HttpUtil.is100ContinueExpected(request) || HttpUtil.getContentLength(request, 0L) > parts.limits().discardBytes()) {
            next.accept(current.closing());
            return;
        }
        state = State.DISCARDING;
        clock.enter(Phase.BODY);
        answer = next;
        discardedBytes = 0;
    }

    private void receive(HttpContent content) {
        boolean isLast = content instanceof LastHttpContent;
        switch (state) {
            case RECEIVING -> {
                if (content.decoderResult().isFailure()) {
                    refuse(current.closing(), Refusals.unreadableBody(), "");
                    return;
                }
                try {
                    intake.append(content.content());
                } catch (AgentException e) {
                    refuse(current.closing(), e, "");
                    return;
                }
                if (isLast) {
                    BodyIntake body = intake;
                    intake = null;
                    var endpoint = current.route().orElseThrow().endpoint().orElseThrow();
                    var id = current.id();
                    run(current, body, sink -> parts.runner().run(endpoint, id, body.content(), sink));
                }
            }
            case DISCARDING -> {
                discardedBytes += content.content().readableBytes();
                if (content.decoderResult().isFailure() || discardedBytes > parts.limits().discardBytes()) {
                    answer.accept(current.closing());
                } else if (isLast) {
                    answer.accept(current);
                }
            }
            case WAITING, ANSWERING, LINGERING -> { }
        }
    }

    /** Has the request's thread answer. Takes {@code body}, which may be null. */
    private void run(Exchange exchange, BodyIntake body, Consumer<HttpSink> work) {
        answering(exchange);
        outbox = new Outbox(context.channel(), exchange.presence(), parts.limits().unsentBytes(), this::finished);
        parts.threads().start(exchange, new HttpSink(exchange, parts.heads(), outbox), body, work);
    }

    private void refuse(Exchange exchange, AgentException error, String allow) {
        byte[] body = ErrorEnvelope.of(exchange, error);
        HttpResponse head = parts.heads().refusal(exchange, error.code(), allow, body.length);
        reply(exchange, head, body);
    }

    /** Answers from here, without a thread. */
    private void reply(Exchange exchange, HttpResponse head, byte[] body) {
        answering(exchange);
        context.write(head);
        if (body.length > 0 && !exchange.headOnly()) {
            context.write(new DefaultHttpContent(context.alloc().directBuffer(body.length).writeBytes(body)));
        }
        context.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(written -> {
            if (written.isSuccess()) {
                finished(head);
            } else {
                context.close();
            }
        });
    }

    private void answering(Exchange exchange) {
        dropBody();
        current = exchange;
        state = State.ANSWERING;
        held.hold();
        clock.enter(Phase.ANSWER);
    }

    private void dropBody() {
        answer = null;
        if (intake != null) {
            intake.close();
            intake = null;
        }
    }

    /** The last byte of an answer has been written. */
    private void finished(HttpResponse head) {
        if (current == null) {
            return;
        }
        end(head.status().code());
        if (ResponseHeads.closes(head)) {
            linger();
        } else {
            state = State.WAITING;
            clock.enter(Phase.IDLE);
            held.release();
        }
    }

    private void end(int status) {
        parts.meters().answered(current, status);
        parts.inFlight().end();
        current = null;
    }

    private void linger() {
        state = State.LINGERING;
        clock.enter(Phase.LINGER);
        held.drop();
        held.release();
        if (context.channel() instanceof DuplexChannel socket) {
            socket.shutdownOutput();
        } else {
            context.close();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof TimedOut(var phase)) {
            switch (phase) {
                case HEAD -> {
                    open(Exchange.unread(RequestIds.next()));
                    refuse(current, Refusals.tooLate(), "");
                }
                case BODY -> refuse(current.closing(), Refusals.tooLate(), "");
                case ANSWER -> {
                    log.debug("reader stalled id={}", current == null ? "none" : current.id());
                    ctx.close();
                }
                case IDLE, LINGER -> ctx.close();
            }
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (outbox != null) {
            outbox.lookAtQueue();
        }
        ctx.fireChannelWritabilityChanged();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        dropBody();
        if (current != null) {
            Presence presence = current.presence();
            end(HttpMeters.CLIENT_GONE);
            presence.leave();
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause instanceof IOException) {
            log.debug("connection ended error={}", cause.getClass().getSimpleName());
        } else {
            log.warn("connection failed", WithoutMessages.of(cause));
        }
        ctx.close();
    }
}
