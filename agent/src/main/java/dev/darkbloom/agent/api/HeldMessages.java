package dev.darkbloom.agent.api;

import io.netty.buffer.ByteBufHolder;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;

/**
 * Holds the next requests of a connection back while one is being answered, so that answers keep the order of requests (RFC 9112, 9.3.2).
 *
 * <p>Reading goes on meanwhile, because the end of the connection is only seen by reading. A client that sends on past the limit is not
 * read until its answer is finished; that it went away is then noticed by writing to it.
 */
final class HeldMessages extends ChannelInboundHandlerAdapter {
    /** What a message without bytes, such as a request's head, counts for. */
    private static final int MESSAGE_BYTES = 1024;

    private final int limit;
    private final ArrayDeque<Object> held = new ArrayDeque<>();
    private int heldBytes;
    private boolean holding;
    private boolean releasing;
    private ChannelHandlerContext context;

    HeldMessages(int limit) {
        this.limit = limit;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (!holding) {
            ctx.fireChannelRead(message);
            return;
        }
        held.add(message);
        heldBytes += bytes(message);
        if (heldBytes > limit) {
            ctx.channel().config().setAutoRead(false);
        }
    }

    /** Event loop: from now on nothing passes. */
    void hold() {
        holding = true;
    }

    /** Event loop: passes on what was held, until somebody says {@link #hold} again. */
    void release() {
        holding = false;
        if (releasing) {
            // A request that was answered on the spot ends inside the loop below, which goes on by itself; no recursion per request.
            return;
        }
        releasing = true;
        while (!holding && !held.isEmpty()) {
            Object message = held.poll();
            heldBytes -= bytes(message);
            context.fireChannelRead(message);
        }
        releasing = false;
        if (heldBytes <= limit) {
            context.channel().config().setAutoRead(true);
        }
    }

    /** Event loop: forgets what is held; nothing of it will be answered. */
    void drop() {
        held.forEach(ReferenceCountUtil::release);
        held.clear();
        heldBytes = 0;
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        drop();
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        drop();
    }

    private static int bytes(Object message) {
        if (message == LastHttpContent.EMPTY_LAST_CONTENT || !(message instanceof HttpContent content)) {
            return MESSAGE_BYTES;
        }
        return MESSAGE_BYTES + ((ByteBufHolder) content).content().readableBytes();
    }
}
