package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.group.ChannelGroup;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.util.concurrent.Ticker;

/** Builds each connection's pipeline, and turns connections away beyond the limit. Event loop only. */
final class ConnectionSetup extends ChannelInitializer<Channel> {
    private final ServerParts parts;
    private final ChannelGroup connections;
    private final Ticker ticker;

    ConnectionSetup(ServerParts parts, ChannelGroup connections) {
        this(parts, connections, Ticker.systemTicker());
    }

    /** With a clock of the caller's, for tests. */
    ConnectionSetup(ServerParts parts, ChannelGroup connections, Ticker ticker) {
        this.parts = parts;
        this.connections = connections;
        this.ticker = ticker;
    }

    @Override
    protected void initChannel(Channel channel) {
        connections.add(channel);
        int open = parts.meters().opened();
        channel.closeFuture().addListener(_ -> parts.meters().closed());
        if (open > parts.limits().maxConnections()) {
            channel.pipeline().addLast(new HttpResponseEncoder(), new TurnedAway());
            return;
        }
        var clock = new ConnectionClock(parts.limits(), ticker);
        var held = new HeldMessages(parts.limits().pipelinedBytes());
        channel.pipeline()
                .addLast(
                        clock,
                        new StrictRequestDecoder(parts.limits()),
                        new HttpResponseEncoder(),
                        held,
                        new RequestHandler(parts, clock, held));
    }

    /** Answers 503 without having read anything, and closes. */
    private final class TurnedAway extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            AgentException error = Refusals.tooManyConnections(parts.limits().maxConnections());
            var exchange = Exchange.unread(RequestIds.next());
            byte[] body = ErrorEnvelope.of(exchange, error);
            var head = parts.heads().refusal(exchange, error.code(), "", body.length);
            var response = new DefaultFullHttpResponse(
                    head.protocolVersion(), head.status(), Unpooled.wrappedBuffer(body), head.headers(), head.headers().copy().clear());
            ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
        }
    }
}
