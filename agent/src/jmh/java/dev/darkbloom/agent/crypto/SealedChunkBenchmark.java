package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.ChunkFrames;
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

/**
 * What a chunk costs between its plain text and its frame for a coordinator: sealing, base64, the frame around it. Holds the budget of ten
 * microseconds at the median, which is why times are sampled. A chunk of one token has some 170 bytes, one of twenty-five milliseconds'
 * tokens 300, a whole answer 4,096.
 */
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class SealedChunkBenchmark {
    /** Bytes of the plain chunk. */
    @Param({"170", "300", "4096"})
    public int bytes;

    private BoxKeys provider;
    private BoxKeys request;
    private RequestBox box;
    private RequestBox peer;
    private ChunkFrames frames;
    private Content plain;
    private Content sealed;
    private Content frame;
    private Content once;
    private Content opened;

    @Setup
    public void open() {
        provider = BoxKeys.generate();
        request = BoxKeys.generate();
        box = provider.boxWith(request.publicKey());
        peer = request.boxWith(provider.publicKey());
        frames = new ChunkFrames(new RequestId("6f0c9a52-6f34-4d8b-9d5f-0a4c5d1c7e21"), provider.publicKey());
        plain = Content.confined(bytes);
        plain.extend(bytes);
        plain.buffer().fill((byte) 'x');
        sealed = Content.confined(bytes + 64);
        frame = Content.confined(2L * bytes + 512);
        opened = Content.confined(2L * bytes + 512);
        once = Content.confined(2L * bytes + 512);
        box.seal(plain.buffer(), 0, bytes, sealed);
        Base64Text.encode(sealed.buffer(), 0, sealed.length(), once);
    }

    /** The whole way. */
    @Benchmark
    public long sealedFrame() {
        sealed.clear();
        box.seal(plain.buffer(), 0, bytes, sealed);
        frame.clear();
        frames.write(sealed.buffer(), 0, sealed.length(), frame);
        return frame.length();
    }

    /** Sealing alone: mostly libsodium's, and the system's random numbers for the nonce. */
    @Benchmark
    public long seal() {
        sealed.clear();
        box.seal(plain.buffer(), 0, bytes, sealed);
        return sealed.length();
    }

    /** Base64 and frame alone. */
    @Benchmark
    public long frame() {
        frame.clear();
        frames.write(sealed.buffer(), 0, bytes + RequestBox.OVERHEAD, frame);
        return frame.length();
    }

    /** The same without a frame around it and without text: what copying costs. */
    @Benchmark
    public MemorySegment copy() {
        frame.clear();
        frame.append(plain.buffer(), 0, bytes);
        return frame.buffer();
    }

    /** What the other side does: base64 and opening. */
    @Benchmark
    public long open64() {
        opened.clear();
        return peer.openText(once.buffer(), 0, once.length(), opened);
    }

    @TearDown
    public void close() {
        box.close();
        peer.close();
        provider.close();
        request.close();
        plain.close();
        sealed.close();
        frame.close();
        once.close();
        opened.close();
    }
}
