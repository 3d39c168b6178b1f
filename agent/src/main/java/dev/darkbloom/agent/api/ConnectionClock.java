package dev.darkbloom.agent.api;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Ticker;
import java.util.concurrent.TimeUnit;

/**
 * Gives every part of a connection's life its time: waiting for a request, its headers, its body, the answer, the last bytes after a
 * refusal. What takes longer is told to the handlers behind as a {@link TimedOut} event.
 *
 * <p>First in the pipeline, so that it sees bytes before they make sense. Headers have a fixed time, and a body has a fixed time plus a
 * second for every so many bytes that came: a sender that trickles one byte at a time runs out of either. An answer has no limit while
 * the reader takes something; a timer looks at what is waiting in the socket's queue and at how far it has been written.
 */
final class ConnectionClock extends ChannelInboundHandlerAdapter {
    private final ApiLimits limits;
    private final Ticker ticker;
    private Phase phase = Phase.IDLE;
    private long phaseStart;
    private long received;
    private long queued;
    private long progress;
    private ChannelHandlerContext context;
    private Future<?> timer;
    private long timerAt;

    /** What the connection is doing. */
    enum Phase {
        IDLE,
        HEAD,
        BODY,
        ANSWER,
        LINGER
    }

    /** A phase took longer than it may. */
    record TimedOut(Phase phase) {}

    ConnectionClock(ApiLimits limits, Ticker ticker) {
        this.limits = limits;
        this.ticker = ticker;
    }

    /** Event loop: begins a phase and its time. A timer that comes too early looks again later; one that comes too late is moved. */
    void enter(Phase next) {
        phase = next;
        phaseStart = ticker.nanoTime();
        received = 0;
        queued = 0;
        progress = 0;
        if (timer == null || phaseStart + limit() - timerAt < 0) {
            arm(limit());
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        enter(Phase.IDLE);
        ctx.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (phase == Phase.IDLE) {
            enter(Phase.HEAD);
        }
        if (message instanceof ByteBuf bytes) {
            received += bytes.readableBytes();
        }
        ctx.fireChannelRead(message);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        disarm();
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        disarm();
    }

    private void arm(long nanos) {
        disarm();
        timerAt = ticker.nanoTime() + nanos;
        timer = context.executor().schedule(this::check, nanos, TimeUnit.NANOSECONDS);
    }

    private void disarm() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }

    private void check() {
        if (phase == Phase.ANSWER && hasMoved()) {
            phaseStart = ticker.nanoTime();
        }
        long left = phaseStart + limit() - ticker.nanoTime();
        if (left > 0) {
            arm(left);
            return;
        }
        Phase late = phase;
        arm(limit());
        context.fireUserEventTriggered(new TimedOut(late));
    }

    /** Nothing waits, or less of it than when last looked at. */
    private boolean hasMoved() {
        ChannelOutboundBuffer buffer = context.channel().unsafe().outboundBuffer();
        if (buffer == null) {
            return false;
        }
        long nowQueued = buffer.totalPendingWriteBytes();
        long nowProgress = buffer.currentProgress();
        boolean moved = nowQueued == 0 || nowQueued != queued || nowProgress != progress;
        queued = nowQueued;
        progress = nowProgress;
        return moved;
    }

    private long limit() {
        return switch (phase) {
            case IDLE -> limits.idleTime().toNanos();
            case HEAD -> limits.headTime().toNanos();
            case BODY -> limits.bodyTime().toNanos() + TimeUnit.SECONDS.toNanos(1) * received / limits.bodyBytesPerSecond();
            case ANSWER -> limits.stallTime().toNanos();
            case LINGER -> limits.lingerTime().toNanos();
        };
    }
}
