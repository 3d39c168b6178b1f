package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.CoordinatorMessage.InferenceRequest;
import dev.darkbloom.agent.protocol.EncryptedPayload;
import dev.darkbloom.agent.protocol.MessageDecoder;
import dev.darkbloom.agent.protocol.MessageEncoder;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.OptionalLong;
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
 * What a request costs between its frame and its plain body: JSON read in place, the shared key, base64, opening. It is a part of the two
 * milliseconds that may pass between a frame and the first decode; a prompt of 1,000 tokens has some 5,000 bytes.
 */
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class RequestFrameBenchmark {
    /** Bytes of the plain body. */
    @Param({"5000", "1000000"})
    public int bytes;

    private final MessageDecoder decoder = new MessageDecoder();
    private BoxKeys provider;
    private BoxKeys request;
    private Content frame;
    private Content opened;
    private MemorySegment received;

    @Setup
    public void open() {
        provider = BoxKeys.generate();
        request = BoxKeys.generate();
        frame = Content.confined(2L * bytes + 512);
        opened = Content.confined(2L * bytes + 512);
        try (RequestBox box = request.boxWith(provider.publicKey());
                Content plain = Content.confined(bytes);
                Content sealed = Content.confined(bytes + 64);
                Content text = Content.confined(2L * bytes)) {
            plain.appendZeros(bytes);
            box.seal(plain.buffer(), 0, bytes, sealed);
            Base64Text.encode(sealed.buffer(), 0, sealed.length(), text);
            new MessageEncoder().encode(new InferenceRequest(new RequestId("6f0c9a52-6f34-4d8b-9d5f-0a4c5d1c7e21"),
                    Optional.of(new EncryptedPayload(request.publicKey(), text.segment())), Optional.empty(), OptionalLong.empty(),
                    Optional.empty()), frame);
        }
        received = frame.segment();
    }

    /** The whole way. */
    @Benchmark
    public long openedBody() {
        opened.clear();
        var message = (InferenceRequest) decoder.coordinatorMessage(received);
        EncryptedPayload body = message.encryptedBody().orElseThrow();
        try (RequestBox box = provider.boxWith(body.ephemeralPublicKey())) {
            return box.openText(body.ciphertext(), 0, body.ciphertext().byteSize(), opened);
        }
    }

    /** Reading the frame alone. */
    @Benchmark
    public Object message() {
        return decoder.coordinatorMessage(received);
    }

    @TearDown
    public void close() {
        provider.close();
        request.close();
        frame.close();
        opened.close();
    }
}
