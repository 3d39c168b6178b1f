package dev.darkbloom.agent.coordinator;

import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.base.Presence;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.chat.Usage;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * What a streamed token costs the thread of its request on the way to a coordinator, when each goes out alone: taken out of the ring, made a JSON
 * event, sealed, written as base64 into its frame, handed to the socket. The model is a script, everything behind it is the agent's own, and a
 * peer on loopback takes the frames.
 *
 * <p>A request's own pace of a chunk in 25 ms is left out. Instead the thread waits a time of its own between two tokens, which is not counted: it
 * turns, so that the caches stay warm, or it sleeps as it does in life.
 */
final class ChunkCost {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int ENOUGH = 1 << 20;
    private static final int WAKES = 1000;

    private final int tokens;
    private final long pauseNanos;
    private final boolean sleeps;

    /**
     * Makes one measurement.
     *
     * @param tokens of the answer
     * @param pauseNanos between two of them
     * @param sleeps whether the thread sleeps meanwhile
     */
    ChunkCost(int tokens, long pauseNanos, boolean sleeps) {
        this.tokens = tokens;
        this.pauseNanos = pauseNanos;
        this.sleeps = sleeps;
    }

    /**
     * What came of it.
     *
     * @param nanos of each token, in order
     * @param made what of them passes before the frame is handed to the socket
     * @param wakes what it takes to wake {@code coordinator-io} for nothing, after the same pauses
     * @param bytesPerToken allocated on the heap by the request's thread
     * @param ioNanosPerToken processor time of {@code coordinator-io}, which frames, masks and writes
     */
    record Figure(Quantiles nanos, Quantiles made, Quantiles wakes, double bytesPerToken, double ioNanosPerToken) {}

    /** Answers one request, some before it for warmth. */
    Figure measure(int warmups) throws Exception {
        var io = new AtomicReference<Thread>();
        var loop = new MultiThreadIoEventLoopGroup(1, task -> {
            var thread = new io.netty.util.concurrent.FastThreadLocalThread(task, "coordinator-io");
            io.set(thread);
            return thread;
        }, NioIoHandler.newFactory());
        try (var peer = new SwallowingPeer(); BoxKeys provider = BoxKeys.generate(); BoxKeys consumer = BoxKeys.generate();
                CoordinatorSocket socket = CoordinatorSocket.open(CoordinatorRoute.of(CoordinatorAddress.parse(peer.url()), Map.of(), Optional.empty()),
                        SocketSettings.defaults("benchmark"), loop)) {
            for (int i = 0; i < warmups; i++) {
                answer(socket, provider, consumer, loop, io.get());
            }
            return answer(socket, provider, consumer, loop, io.get());
        } finally {
            loop.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    private Figure answer(CoordinatorSocket socket, BoxKeys provider, BoxKeys consumer, EventLoopGroup loop, Thread io) {
        var clock = new ManualClock();
        var pool = new FakeModelPool(clock, "demo");
        var text = new int[tokens];
        Arrays.fill(text, 'a');
        pool.answers(new Script(text, 1, 0, new Outcome.Finished(FinishReason.LENGTH)));
        var completions = new Completions(pool, CompletionsSettings.defaults(), java.time.InstantSource.system(), clock);
        var id = new RequestId("6f0c9a52-6f34-4d8b-9d5f-0a4c5d1c7e21");
        var outlet = new TimedOutlet(socket);
        try (RequestBox box = provider.boxWith(consumer.publicKey());
                var sealed = new SealedSink(id, outlet, box, provider.publicKey(), new Presence(), new SealedSink.Milestones() {
                    @Override
                    public void chosen(String modelId) {}

                    @Override
                    public void prepared(String modelId, int promptTokens) {}

                    @Override
                    public void firstChunk() {}

                    @Override
                    public void progressed() {}

                    @Override
                    public void chunkSent() {}
                }, Optional.empty());
                Content body = OffHeap.body("{\"model\":\"demo\",\"prompt\":\"x\",\"stream\":true,\"endpoint\":\"/v1/completions\",\"max_tokens\":" + ENOUGH + "}")) {
            var sink = new TimedSink(sealed, outlet);
            long ioBefore = THREADS.getThreadCpuTime(io.threadId());
            completions.relay(id, body, sink);
            long ioNanos = THREADS.getThreadCpuTime(io.threadId()) - ioBefore;
            return new Figure(new Quantiles(Arrays.copyOf(sink.nanos, tokens)),
                    new Quantiles(Arrays.copyOf(sink.made, tokens)), wakes(loop), (double) sink.allocated / tokens, (double) ioNanos / tokens);
        }
    }

    private Quantiles wakes(EventLoopGroup loop) {
        var nanos = new long[WAKES];
        for (int i = 0; i < nanos.length; i++) {
            pause();
            long begun = System.nanoTime();
            loop.execute(() -> { });
            nanos[i] = System.nanoTime() - begun;
        }
        return new Quantiles(nanos);
    }

    private void pause() {
        if (sleeps) {
            LockSupport.parkNanos(pauseNanos);
            return;
        }
        long begun = System.nanoTime();
        while (System.nanoTime() - begun < pauseNanos) {
            Thread.onSpinWait();
        }
    }

    /** Notes when a frame is handed on. */
    private static final class TimedOutlet implements Outlet {
        private final Outlet outlet;
        private long handedOn;

        TimedOutlet(Outlet outlet) {
            this.outlet = outlet;
        }

        @Override
        public void send(MemorySegment frame, long size) {
            handedOn = System.nanoTime();
            outlet.send(frame, size);
        }

        @Override
        public boolean awaitRoom(long nanos) throws InterruptedException {
            return outlet.awaitRoom(nanos);
        }
    }

    /** Passes all on, and takes the time from one pause to the next. */
    private final class TimedSink implements ResponseSink {
        private final ResponseSink sink;
        private final TimedOutlet outlet;
        private final long[] nanos = new long[tokens + 16];
        private final long[] made = new long[tokens + 16];
        private int events;
        private long begun;
        private long allocatedBefore;
        private long allocated;

        TimedSink(ResponseSink sink, TimedOutlet outlet) {
            this.sink = sink;
            this.outlet = outlet;
        }

        @Override
        public void event(MemorySegment buffer, long size) {
            sink.event(buffer, size);
            long now = System.nanoTime();
            long bytes = THREADS.getCurrentThreadAllocatedBytes();
            if (begun != 0 && events < nanos.length) { // the first has the answer's preparation in it
                made[events] = outlet.handedOn - begun;
                nanos[events++] = now - begun;
                allocated += bytes - allocatedBefore;
            }
            pause();
            allocatedBefore = THREADS.getCurrentThreadAllocatedBytes();
            begun = System.nanoTime();
        }

        @Override
        public long eventGapNanos() {
            return 0;
        }

        @Override
        public void document(MemorySegment json) {
            sink.document(json);
        }

        @Override
        public void beginStream() {
            sink.beginStream();
        }

        @Override
        public void ping() {
            sink.ping();
        }

        @Override
        public void endStream() {
            sink.endStream();
        }

        @Override
        public void endTypedStream() {
            sink.endTypedStream();
        }

        @Override
        public void abortStream() {
            sink.abortStream();
        }

        @Override
        public boolean takesFailures() {
            return sink.takesFailures();
        }

        @Override
        public boolean isGone() {
            return sink.isGone();
        }

        @Override
        public void onGone(Runnable action) {
            sink.onGone(action);
        }

        @Override
        public void used(Usage total) {
            sink.used(total);
        }
    }
}
