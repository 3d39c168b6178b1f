package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.testing.OffHeap;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SseWriterTest {
    private final ObjectMapper mapper = new ObjectMapper();

    @Test
    void everyCharacterReadsBackAsItself() throws Exception {
        var text = new StringBuilder();
        for (int c = 0; c < 0x2100; c++) {
            text.appendCodePoint(c);
        }
        text.append("🚀\uFFFD\uFFFF");
        try (SseWriter writer = SseWriter.allocate(16)) {
            writer.text(OffHeap.utf8(text.toString()));

            String line = OffHeap.text(writer.segment());
            assertThat(mapper.readTree(line).textValue()).isEqualTo(text.toString());
            assertThat(line).doesNotContain("\n").doesNotContain("\r");
        }
    }

    @Test
    void aDataLineHasNoLineEnd() {
        try (SseWriter writer = SseWriter.allocate(16)) {
            writer.beginData().raw("{\"a\":").number(1).raw("}");

            assertThat(OffHeap.text(writer.segment())).isEqualTo("data: {\"a\":1}");
        }
    }

    @Test
    void resetBeginsAgain() {
        try (SseWriter writer = SseWriter.allocate(16)) {
            writer.raw("a long first line that makes the buffer grow").reset().raw("b");

            assertThat(OffHeap.text(writer.segment())).isEqualTo("b");
        }
    }

    @Test
    void integersAreWrittenInFull() {
        var random = new Random(3);
        for (long value : new long[] {0, 1, -1, 9, 10, 99, 100, Long.MAX_VALUE, Long.MIN_VALUE, random.nextLong(), random.nextInt()}) {
            try (SseWriter writer = SseWriter.allocate(16)) {
                writer.number(value);
                assertThat(OffHeap.text(writer.segment())).isEqualTo(Long.toString(value));
            }
        }
    }

    @Test
    void fixedNumbersLoseTheirTrailingZeros() {
        assertThat(fixed(1.5, 3)).isEqualTo("1.5");
        assertThat(fixed(2, 3)).isEqualTo("2");
        assertThat(fixed(-0.0625, 3)).isEqualTo("-0.063");
        assertThat(fixed(0.001, 3)).isEqualTo("0.001");
        assertThat(fixed(-0.0001, 3)).isEqualTo("0");
        assertThat(fixed(Double.NaN, 3)).isEqualTo("0");
        assertThat(fixed(Double.POSITIVE_INFINITY, 3)).isEqualTo("0");
    }

    @Test
    void floatsReadBackAsTheSameFloat() throws Exception {
        var random = new Random(5);
        for (int i = 0; i < 100_000; i++) {
            float value = switch (i) {
                case 0 -> Float.MIN_VALUE;
                case 1 -> Float.MAX_VALUE;
                case 2 -> 0f;
                case 3 -> 1f;
                case 4 -> -10f;
                case 5 -> 0.1f;
                default -> Float.intBitsToFloat(random.nextInt());
            };
            if (Float.isFinite(value)) {
                try (SseWriter writer = SseWriter.allocate(16)) {
                    writer.number(value);
                    String written = OffHeap.text(writer.segment());
                    assertThat(Float.parseFloat(written)).as(written).isEqualTo(value == 0 ? 0f : value);
                    mapper.readTree(written);
                }
            }
        }
    }

    private static String fixed(double value, int decimals) {
        try (SseWriter writer = SseWriter.allocate(16)) {
            return OffHeap.text(writer.fixed(value, decimals).segment());
        }
    }
}
