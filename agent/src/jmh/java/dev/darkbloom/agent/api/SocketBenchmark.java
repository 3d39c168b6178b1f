package dev.darkbloom.agent.api;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
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

/** One write of one event to a loopback connection whose other end reads at once: the floor under what a flush costs. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class SocketBenchmark {
    private final ByteBuffer event = ByteBuffer.allocateDirect(240);
    private SocketChannel writing;
    private SocketChannel reading;
    private Thread reader;

    @Setup
    public void open() throws IOException {
        try (ServerSocketChannel listening = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            writing = SocketChannel.open(listening.getLocalAddress()).setOption(StandardSocketOptions.TCP_NODELAY, true);
            reading = listening.accept();
        }
        reader = Thread.ofPlatform().daemon(true).start(this::read);
    }

    private void read() {
        try {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);
            while (reading.read(buffer.clear()) >= 0) {
                // until the other end closes
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Benchmark
    public int write() throws IOException {
        return writing.write(event.clear());
    }

    @TearDown
    public void close() throws Exception {
        writing.close();
        reader.join();
        reading.close();
    }
}
