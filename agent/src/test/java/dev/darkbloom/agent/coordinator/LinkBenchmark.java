package dev.darkbloom.agent.coordinator;

import java.time.Duration;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What the way from and to a coordinator costs; {@code scripts/bench --only coordinator} runs it. Prints one line of JSON for each measurement.
 */
final class LinkBenchmark {
    private static final int TOKENS = 10_000;
    private static final int WARMUPS = 3;
    private static final int SLEEPY_TOKENS = 1_000;
    private static final int REQUESTS = 100;
    /** A node that serves has answered more than that; at a hundred Java still compiles. */
    private static final int FIRST_DECODE_WARMUPS = 300;
    private static final int RESTARTS = 20;
    /** What a Mac's tools take to say what protects it. */
    private static final int MAC_TOOLS_MILLIS = 500;
    private static final double MICROS = 1e3;
    private static final double MILLIS = 1e6;

    private LinkBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        switch (arguments.length == 1 ? arguments[0] : "") {
            case "chunks" -> chunks();
            case "first-decode" -> firstDecode();
            case "reconnect" -> reconnect();
            default -> {
                System.err.println("usage: LinkBenchmark chunks|first-decode|reconnect");
                System.exit(2);
            }
        }
    }

    private static void chunks() throws Exception {
        var turning = new ChunkCost(TOKENS, 100_000, false).measure(WARMUPS);
        String curve = IntStream.range(0, TOKENS / 1000)
                .mapToObj(i -> String.format(Locale.ROOT, "%.2f", turning.nanos().part(i * 1000, (i + 1) * 1000).at(0.5) / MICROS))
                .collect(Collectors.joining(", "));
        var sleeping = new ChunkCost(SLEEPY_TOKENS, 5_000_000, true).measure(1);
        System.out.printf(Locale.ROOT, "{%s, %s, %s, \"by_thousand_us_p50\": [%s], \"heap_bytes\": %.1f, \"io_us\": %.2f, %s, \"slept_io_us\": %.2f}%n",
                turning.nanos().json("us", MICROS), turning.made().json("made_us", MICROS), turning.wakes().json("wake_us", MICROS), curve, turning.bytesPerToken(), turning.ioNanosPerToken() / MICROS,
                sleeping.nanos().json("slept_us", MICROS), sleeping.ioNanosPerToken() / MICROS);
    }

    private static void firstDecode() throws Exception {
        var figure = new FirstDecode().measure(FIRST_DECODE_WARMUPS, REQUESTS);
        System.out.printf(Locale.ROOT, "{\"requests\": %d, \"prompt_tokens\": %d, %s, %s, %s, %s, %s, %s}%n", REQUESTS, figure.promptTokens(),
                figure.total().json("ms", MILLIS), figure.tokenize().json("tokenize_ms", MILLIS), figure.template().json("template_ms", MILLIS),
                figure.beyondTokenize().json("beyond_ms", MILLIS),
                figure.toTemplate().json("to_template_ms", MILLIS), figure.toDecode().json("to_decode_ms", MILLIS));
    }

    private static void reconnect() throws Exception {
        for (int toolMillis : new int[] {0, MAC_TOOLS_MILLIS}) {
            var figure = new ReconnectTime(Duration.ofMillis(toolMillis)).measure(RESTARTS);
            System.out.printf(Locale.ROOT, "{\"restarts\": %d, \"tool_ms\": %d, %s, %s}%n", RESTARTS, toolMillis,
                    figure.fromDeath().json("from_death_ms", MILLIS), figure.fromListening().json("from_listening_ms", MILLIS));
        }
    }
}
