package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/**
 * What was opened, sealed or hashed lies in its content, and nowhere in the process when that is closed or zeroed. What is looked for is
 * never written down in the clear, since then it would be found.
 */
@Tag("native")
@EnabledOnOs(OS.LINUX)
class PlaintextPlacesTest {
    private static final int MASK = 0x5A;
    private static final int[] SIZES = {1_000, 100_003};

    private final byte[] masked = new byte[24];
    private volatile boolean done;
    private volatile boolean looked;

    @BeforeEach
    void chooseTheCanary() {
        new Random(System.nanoTime()).nextBytes(masked);
    }

    /** Writes the canary at the beginning, in the middle and at the end of a request of {@code size} bytes. */
    private void write(Content plain, int size) {
        long start = plain.extend(size);
        for (int i = 0; i < size; i++) {
            plain.buffer().set(ValueLayout.JAVA_BYTE, start + i, (byte) ' ');
        }
        for (int place : new int[] {0, size / 2, size - masked.length}) {
            for (int i = 0; i < masked.length; i++) {
                plain.buffer().set(ValueLayout.JAVA_BYTE, start + place + i, (byte) (masked[i] ^ MASK));
            }
        }
    }

    private long hits() throws IOException {
        long hits = 0;
        var buffer = new byte[1 << 20];
        try (var memory = new RandomAccessFile("/proc/self/mem", "r")) {
            for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
                String[] columns = line.split("\\s+", 6);
                if (!columns[1].startsWith("rw")) {
                    continue;
                }
                String[] range = columns[0].split("-");
                long end = Long.parseUnsignedLong(range[1], 16);
                for (long at = Long.parseUnsignedLong(range[0], 16); at < end; at += buffer.length - masked.length) {
                    hits += hits(memory, at, (int) Math.min(buffer.length, end - at), buffer);
                }
            }
        }
        return hits;
    }

    private long hits(RandomAccessFile memory, long at, int size, byte[] buffer) {
        long hits = 0;
        try {
            memory.seek(at);
            int read = memory.read(buffer, 0, size);
            for (int i = 0; i <= read - masked.length; i++) {
                int same = 0;
                while (same < masked.length && (buffer[i + same] ^ MASK) == masked[same]) {
                    same++;
                }
                hits += same == masked.length ? 1 : 0;
            }
        } catch (IOException e) {
            return 0; // a mapping that went away, or one that has no pages to read
        } finally {
            Arrays.fill(buffer, (byte) 0);
        }
        return hits;
    }

    private interface Work {
        void run() throws Exception;
    }

    /** Looks for the canary while a thread has done {@code work} and nothing since. */
    private long hitsBehind(Work work) throws Exception {
        done = false;
        looked = false;
        var failed = new Throwable[1];
        Thread thread = Thread.ofPlatform().start(() -> {
            try {
                work.run();
            } catch (Throwable t) {
                failed[0] = t;
                done = true;
            }
        });
        while (!done) {
            Thread.onSpinWait();
        }
        long hits = hits();
        looked = true;
        thread.join();
        assertThat(failed[0]).isNull();
        return hits;
    }

    /** Calls nothing, so that the stack stays as it is until somebody has looked at it. */
    private void waitForTheLook() {
        done = true;
        while (!looked) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aRequestIsGoneWithItsContentAlsoFromTheStack() throws Exception {
        try (BoxKeys provider = BoxKeys.generate(); BoxKeys request = BoxKeys.generate(); Content text = Content.allocate(16)) {
            for (int size : SIZES) {
                sealedText(request, provider, size, text);
                assertThat(hitsBehind(() -> {
                    try (Content plain = Content.allocate(200_000); RequestBox ours = provider.boxWith(request.publicKey())) {
                        ours.openText(text.buffer(), 0, text.length(), plain);
                        plain.buffer().fill((byte) 0);
                        waitForTheLook();
                    }
                })).as("%d bytes", size).isZero();
            }
            sealedText(request, provider, 80, text);
            try (Content plain = Content.allocate(1_000); RequestBox ours = provider.boxWith(request.publicKey())) {
                ours.openText(text.buffer(), 0, text.length(), plain);

                assertThat(hits()).as("while it is open").isPositive();
            }
        }
    }

    @Test
    void aChunkIsGoneWithItsContentAlsoFromTheStack() throws Exception {
        try (BoxKeys provider = BoxKeys.generate(); BoxKeys request = BoxKeys.generate()) {
            assertThat(hitsBehind(() -> {
                try (Content plain = Content.allocate(2_000);
                        Content sealed = Content.allocate(2_000);
                        RequestBox ours = provider.boxWith(request.publicKey())) {
                    write(plain, 1_000);
                    ours.seal(plain.buffer(), 0, 1_000, sealed);
                    plain.buffer().fill((byte) 0);
                    waitForTheLook();
                }
            })).isZero();
        }
    }

    @Test
    void anAnswersHashLeavesNothingOfItOnTheStack() throws Exception {
        try (Content plain = Content.allocate(2_000)) {
            assertThat(hitsBehind(() -> {
                try (var hash = new ResponseHash()) {
                    write(plain, 1_000);
                    hash.add(plain.buffer(), 0, 1_000);
                    plain.buffer().fill((byte) 0);
                    hash.finish(new RequestId("r"), 1);
                }
                waitForTheLook();
            })).isZero();
        }
    }

    private void sealedText(BoxKeys from, BoxKeys to, int size, Content text) {
        text.clear();
        try (RequestBox box = from.boxWith(to.publicKey()); Content plain = Content.confined(16); Content bytes = Content.confined(16)) {
            write(plain, size);
            box.seal(plain.buffer(), 0, size, bytes);
            Base64Text.encode(bytes.buffer(), 0, bytes.length(), text);
        }
    }
}
