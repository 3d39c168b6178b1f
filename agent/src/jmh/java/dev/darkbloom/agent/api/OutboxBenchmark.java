package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.Presence;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.ReferenceCountUtil;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Events through the outbox and the HTTP encoder to the bytes that are ready for the socket, by event. The socket itself is not in it. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class OutboxBenchmark {
    /** Events that come together before the event loop turns. */
    @Param({"1", "8"})
    public int together;

    private final MemorySegment event = Arena.ofAuto().allocate(230).fill((byte) 'x');
    private final MemorySegment end = Arena.ofAuto().allocate(2).fill((byte) '\n');
    private final Written written = new Written();
    private EmbeddedChannel channel;
    private Outbox outbox;

    @Setup
    public void open() {
        channel = new EmbeddedChannel(written, new HttpResponseEncoder());
        outbox = new Outbox(channel, new Presence(), 1 << 20, _ -> {});
        HttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        head.headers().set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
        outbox.start(head);
        drain();
    }

    /** Time for all the events of a flush; to be divided by them. */
    @Benchmark
    public int flush() {
        for (int i = 0; i < together; i++) {
            outbox.append(event, end);
        }
        return drain();
    }

    private int drain() {
        channel.runPendingTasks();
        int bytes = written.bytes;
        written.bytes = 0;
        return bytes;
    }

    /** A socket that takes everything at once. */
    private static final class Written extends ChannelOutboundHandlerAdapter {
        private int bytes;

        @Override
        public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
            bytes += ((ByteBuf) message).readableBytes();
            ReferenceCountUtil.release(message);
            if (!promise.isVoid()) {
                promise.setSuccess();
            }
        }
    }

    @TearDown
    public void close() {
        channel.close();
    }
}
