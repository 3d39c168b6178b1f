package dev.darkbloom.agent.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.Fixtures.Fixture;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Frames of both directions with bytes, numbers and whole pieces changed: they are read or refused, and nothing else happens. What is read
 * is written again without trouble.
 */
class FrameFuzzTest {
    private static final List<String> PIECES = List.of("null", "true", "-1", "64.0", "1e999", "1e-999", "18446744073709551616", "\"\"",
            "\"\\u0000\"", "\"\\ud83c\\udf31\"", "\"\\ud800\"", "{}", "[]", "[[[[", "{\"type\":", "\"type\":\"cancel\",",
            "\"request_id\":null,", ",", ":",
            "\"", "\\", "\n", "\u2028", "[".repeat(300), "{\"attestation\":".repeat(40), "\"models\":[null],", "\"hardware\":[],",
            "\"encrypted_data\":{},", "\"usage\":{\"prompt_tokens\":9223372036854775807},", "9".repeat(80));

    private final MessageDecoder decoder = new MessageDecoder();
    private final MessageEncoder encoder = new MessageEncoder();
    private long read;
    private long refused;

    private void fuzz(int frames, long seed) {
        var random = new SplittableRandom(seed);
        var originals = new ArrayList<byte[]>();
        for (List<Fixture> fixtures : List.of(Fixtures.agent(), Fixtures.coordinator())) {
            fixtures.forEach(fixture -> originals.add(fixture.tree().toString().getBytes(StandardCharsets.UTF_8)));
        }
        try (Content frame = Content.confined(8192); Content again = Content.confined(8192)) {
            for (int i = 0; i < frames; i++) {
                frame.clear();
                frame.append(MemorySegment.ofArray(originals.get(random.nextInt(originals.size()))));
                int changes = 1 + random.nextInt(4);
                for (int change = 0; change < changes; change++) {
                    mutate(frame, random);
                }
                again.clear();
                try {
                    if (random.nextBoolean()) {
                        AgentMessage message = decoder.agentMessage(frame.segment());
                        if (!(message instanceof AgentMessage.Unknown)) {
                            encoder.encode(message, again);
                        }
                    } else {
                        CoordinatorMessage message = decoder.coordinatorMessage(frame.segment());
                        if (!(message instanceof CoordinatorMessage.Unknown)) {
                            encoder.encode(message, again);
                        }
                    }
                    read++;
                } catch (MalformedMessageException e) {
                    refused++;
                } catch (Throwable t) {
                    throw new AssertionError("frame " + i + " of seed " + seed, t);
                }
            }
        }
    }

    private static void mutate(Content frame, SplittableRandom random) {
        if (frame.length() == 0) {
            return;
        }
        long at = random.nextLong(frame.length());
        switch (random.nextInt(6)) {
            case 0 -> frame.buffer().set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt(256));
            case 1 -> {
                byte b = frame.buffer().get(ValueLayout.JAVA_BYTE, at);
                frame.buffer().set(ValueLayout.JAVA_BYTE, at, (byte) (b ^ 1 << random.nextInt(8)));
            }
            case 2 -> frame.truncate(at);
            case 3 -> { // some bytes again, in place of others
                long size = Math.min(random.nextLong(1, 40), frame.length() - at);
                long to = random.nextLong(frame.length() - size + 1);
                MemorySegment.copy(frame.buffer(), at, frame.buffer(), to, size);
            }
            case 4 -> insert(frame, at, PIECES.get(random.nextInt(PIECES.size())));
            default -> replaceValue(frame, at, PIECES.get(random.nextInt(PIECES.size())));
        }
    }

    private static void insert(Content frame, long at, String piece) {
        MemorySegment bytes = MemorySegment.ofArray(piece.getBytes(StandardCharsets.UTF_8));
        long size = bytes.byteSize();
        long rest = frame.length() - at;
        frame.extend(size);
        MemorySegment.copy(frame.buffer(), at, frame.buffer(), at + size, rest);
        MemorySegment.copy(bytes, 0, frame.buffer(), at, size);
    }

    /** Puts a piece where the next member's value is, up to the next comma or bracket: most such frames are still JSON. */
    private static void replaceValue(Content frame, long at, String piece) {
        MemorySegment buffer = frame.buffer();
        long end = frame.length();
        long colon = at;
        while (colon < end && buffer.get(ValueLayout.JAVA_BYTE, colon) != ':') {
            colon++;
        }
        long stop = colon + 1;
        while (stop < end && ",}]".indexOf(buffer.get(ValueLayout.JAVA_BYTE, stop)) < 0) {
            stop++;
        }
        if (stop >= end) {
            return;
        }
        MemorySegment.copy(buffer, stop, buffer, colon + 1, end - stop);
        frame.truncate(end - (stop - colon - 1));
        insert(frame, colon + 1, piece);
    }

    @Test
    void changedFramesAreReadOrRefused() {
        fuzz(30_000, 20261129);

        assertThat(read).isGreaterThan(3_000);
        assertThat(refused).isEqualTo(decoder.malformed()).isGreaterThan(3_000);
    }

    @Test
    @Tag("slow")
    void aMillionChangedFramesLeaveTheMemoryFlat() {
        fuzz(200_000, 1);
        long contents = Content.openCount();
        long before = usedHeap();
        for (int seed = 2; seed < 7; seed++) {
            fuzz(200_000, seed);
        }

        assertThat(usedHeap() - before).isLessThan(4L << 20);
        assertThat(Content.openCount()).isEqualTo(contents);
        assertThat(read + refused).isEqualTo(1_200_000);
    }

    private static long usedHeap() {
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
