package dev.darkbloom.agent.content;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One token into the ring and out of it, on one thread: the work of both sides without what the cores' caches add. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class TokenRingBenchmark {
    private TokenRing ring;

    @Setup
    public void open() {
        ring = TokenRing.allocate(256, 0);
    }

    @Benchmark
    public int putAndTake() {
        if (ring.hasRoom()) {
            ring.put(7);
        }
        int token = ring.size() > 0 ? ring.token(ring.firstEntry()) : -1;
        ring.advance();
        return token;
    }

    @TearDown
    public void close() {
        ring.close();
    }
}
