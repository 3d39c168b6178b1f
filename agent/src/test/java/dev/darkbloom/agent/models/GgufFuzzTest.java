package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.GgufMutator;
import dev.darkbloom.agent.testing.GgufSpots;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever a file holds, inspecting it gives an inspection or an {@link AgentException}, soon.
 *
 * <p>{@code -Ddarkbloom.fuzz.rounds=100000} does more, {@code -Ddarkbloom.fuzz.seed=…} does others. A failure names its seed.
 */
class GgufFuzzTest {
    private static final int ROUNDS = Integer.getInteger("darkbloom.fuzz.rounds", 5000);
    private static final long SEED = Long.getLong("darkbloom.fuzz.seed", 20261124);
    private static final long ROUND_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long[] NUMBERS = {
        0, 1, 2, 3, 31, 33, 255, 256, 4096, 65_535, 65_536, 1 << 20, 1 << 24, Integer.MAX_VALUE, 1L << 31, 1L << 32, 1L << 40, 1L << 60,
        Long.MAX_VALUE, Long.MIN_VALUE, -1, -8, -32};

    private record Base(byte[] bytes, GgufSpots spots) {
        Base(GgufWriter writer) {
            this(writer.toBytes());
        }

        Base(byte[] bytes) {
            this(bytes, GgufSpots.of(bytes));
        }
    }

    @TempDir
    private Path folder;

    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void everyMutantIsInspectedOrRefused() throws IOException {
        List<Base> bases = bases();
        Path path = folder.resolve("mutant.gguf");
        int inspected = 0;
        for (int round = 0; round < ROUNDS; round++) {
            long seed = SEED + round;
            writeMutant(path, bases, new SplittableRandom(seed), seed);
            long begin = System.nanoTime();
            try {
                ModelInspection inspection = ModelInspection.of(path, 4096, 4);
                assertThat(inspection.toText()).isNotEmpty();
                assertThat(inspection.toJson()).isNotEmpty();
                inspected++;
            } catch (AgentException e) {
                assertThat(e.code()).as("seed %d", seed).isEqualTo(ErrorCode.MODEL_INVALID);
                assertThat(e.getMessage()).as("seed %d", seed).startsWith("mutant.gguf: ").hasSizeLessThan(2000);
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed " + seed + " ends in " + e, e);
            }
            assertThat(System.nanoTime() - begin).as("nanoseconds of seed %d", seed).isLessThan(ROUND_LIMIT_NANOS);
        }
        // A mutator that only breaks headers would prove little; one that breaks nothing would prove nothing.
        assertThat(inspected).isBetween(ROUNDS / 10, ROUNDS * 9 / 10);
    }

    private static List<Base> bases() {
        var everyType = new GgufWriter("test", 1)
                .raw("u8", GgufType.UINT8, new byte[1]).u16("u16", 1).u32("u32", 2).u64("u64", 3).i32("i32", -1).f32("f32", 1)
                .flag("flag", true).text("text", "text").texts("texts", List.of("a", "b", "")).i32s("numbers", 1, 2, 3).f32s("floats", 1, 2)
                .tensor("t", GgmlType.F32, 4, 4).tensor("u", GgmlType.Q8_0, 32, 2);
        return List.of(new Base(everyType), new Base(TinyModels.llamaOf(1, 1, 32, 2, 1, 32, 295)));
    }

    private static void writeMutant(Path path, List<Base> bases, SplittableRandom random, long seed) throws IOException {
        if (random.nextInt(3) == 0) {
            TinyModels.Kind kind = TinyModels.Kind.values()[random.nextInt(TinyModels.Kind.values().length)];
            GgufWriter model = kind.writer(1);
            new GgufMutator(seed).mutate(model);
            model.writeSparse(path);
            return;
        }
        Base base = bases.get(random.nextInt(bases.size()));
        byte[] bytes = base.bytes().clone();
        int changes = 1 + random.nextInt(3);
        for (int i = 0; i < changes; i++) {
            bytes = change(bytes, base, bases, random);
        }
        Files.write(path, bytes);
    }

    private static byte[] change(byte[] bytes, Base base, List<Base> bases, SplittableRandom random) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int header = Math.min(base.spots().headerBytes(), bytes.length);
        switch (random.nextInt(8)) {
            case 0, 1 -> {
                int at = random.nextInt(header);
                bytes[at] ^= (byte) (1 << random.nextInt(8));
            }
            case 2 -> bytes[random.nextInt(header)] = (byte) random.nextInt(256);
            case 3 -> {
                int length = random.nextInt(2) == 0 ? random.nextInt(bytes.length) : random.nextInt(header);
                return length < 1 ? bytes : Arrays.copyOf(bytes, length);
            }
            case 4 -> put(buffer, base.spots().wide(), Long.BYTES, NUMBERS[random.nextInt(NUMBERS.length)], random);
            case 5 -> {
                int at = base.spots().wide().get(random.nextInt(base.spots().wide().size()));
                if (at + Long.BYTES <= bytes.length) {
                    buffer.putLong(at, buffer.getLong(at) + random.nextInt(-3, 4));
                }
            }
            case 6 -> {
                int code = random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(45);
                put(buffer, base.spots().narrow(), Integer.BYTES, code, random);
            }
            case 7 -> {
                // A piece of another header in the middle of this one.
                byte[] other = bases.get(random.nextInt(bases.size())).bytes();
                int length = 1 + random.nextInt(200);
                int from = random.nextInt(Math.max(1, other.length - length));
                int to = random.nextInt(header);
                System.arraycopy(other, from, bytes, to, Math.min(Math.min(length, other.length - from), bytes.length - to));
            }
            default -> throw new AssertionError();
        }
        return bytes;
    }

    private static void put(ByteBuffer buffer, List<Integer> spots, int width, long number, SplittableRandom random) {
        int at = spots.get(random.nextInt(spots.size()));
        if (at + width > buffer.capacity()) {
            return;
        }
        if (width == Long.BYTES) {
            buffer.putLong(at, number);
        } else {
            buffer.putInt(at, (int) number);
        }
    }
}
