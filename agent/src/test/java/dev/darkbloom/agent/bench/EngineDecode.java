package dev.darkbloom.agent.bench;

import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.LlamaBackend;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.NativeLibrary;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How fast the real engine decodes, without HTTP: the counterpart of {@code llama-bare}, whose prompts, settings and definition of decode it
 * shares. {@code scripts/bench --only engine} runs both in turn.
 *
 * <p>The model is loaded once, so that the Java code stays warm between two measurements. Each line of standard input asks for one, {@code
 * STREAMS MILLISECONDS none|await}, and is answered by one line of JSON.
 */
final class EngineDecode {
    private static final String USAGE = """
            usage: EngineDecode --model FILE --text FILE [options]      then lines STREAMS MILLISECONDS none|await on standard input

              --text FILE           a prompt a line; stream i gets prompt i, from the beginning again where they end
              --predict N           tokens of each stream and round (200)
              --slots N             sequences (16)
              --ctx N               tokens for each sequence (1024)
              --threads N           compute threads (2)
              --poll N              how eagerly they wait, 0 to 100 (50)
              --flash-attn on|off|auto   (off)
              --kv unified|streams       (streams)
              --batch N, --ubatch N (512)
              --warmup-ms N         decoding before the first answer at a number of streams (3000)

            MILLISECONDS is how long the windows last together. With none, nobody reads before the answers are complete: the engine alone.
            With await, a virtual thread waits for each stream's tokens as they come, as a request's thread does.
            """;

    private EngineDecode() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = options(arguments);
        List<String> prompts = Files.readAllLines(Path.of(required(options, "text")));
        int predict = number(options, "predict", 200);
        long warmupNanos = number(options, "warmup-ms", 3000) * 1_000_000L;
        ModelSpec spec = spec(options);
        LlamaBackend backend = LlamaBackend.open(NativeLibrary.load());
        var settings = EngineSettings.defaults().withMinContextTokens(8);
        try (Engine engine = Engine.open(settings, backend, new MemoryLedger(Long.MAX_VALUE), NanoClock.SYSTEM)) {
            engine.register(spec, false);
            try (ModelLease lease = engine.acquire(spec.id()); var rounds = new DecodeRounds(lease, prompts, predict, warmupNanos)) {
                serve(rounds, spec);
            }
        }
    }

    private static void serve(DecodeRounds rounds, ModelSpec spec) throws IOException, InterruptedException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.strip().split("\\s+");
            if (words.length != 3 || !words[2].matches("none|await")) {
                throw fail("a line is STREAMS MILLISECONDS none|await, not '" + line + "'");
            }
            int streams = Integer.parseInt(words[0]);
            DecodeRounds.Figure figure = rounds.measure(streams, Integer.parseInt(words[1]) * 1_000_000L, words[2].equals("await"));
            ComputeSettings compute = spec.compute();
            System.out.printf(Locale.ROOT, "{\"parallel\": %d, \"readers\": \"%s\", \"decode_tokens\": %d, \"decode_tokens_per_second\": %.1f, "
                    + "\"rounds\": %d, \"warmup_seconds\": %.1f, \"threads\": %d, \"poll\": %d, \"flash_attn\": \"%s\", \"kv\": \"%s\", "
                    + "\"slots\": %d, \"ubatch\": %d, \"batch\": %d}%n", streams, words[2], figure.tokens(), figure.tokensPerSecond(),
                    figure.rounds(), figure.warmupNanos() / 1e9, compute.threads(), compute.poll(), lower(compute.flashAttention()),
                    lower(spec.kvLayout()), spec.slots(), compute.ubatchTokens(), compute.batchTokens());
            System.out.flush();
        }
    }

    /** The only place that knows how the engine's settings are spelled. */
    private static ModelSpec spec(Map<String, String> options) {
        int batch = number(options, "batch", 512);
        var compute = ComputeSettings.safe(number(options, "threads", 2), batch, number(options, "ubatch", 512))
                .withPoll(number(options, "poll", 50))
                .withFlashAttention(FlashAttention.valueOf(options.getOrDefault("flash-attn", "off").toUpperCase(Locale.ROOT)));
        int context = number(options, "ctx", 1024);
        int slots = number(options, "slots", 16);
        ModelSpec streams = ModelSpec.ofText("bench", Path.of(required(options, "model")), context, slots, compute);
        return switch (options.getOrDefault("kv", "streams")) {
            case "streams" -> streams;
            case "unified" -> streams.unified((long) context * slots);
            default -> throw fail("--kv is unified or streams");
        };
    }

    private static Map<String, String> options(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < arguments.length; i += 2) {
            if (!arguments[i].startsWith("--") || i + 1 == arguments.length || !USAGE.contains(arguments[i] + " ")) {
                throw fail("unknown option or no value: " + arguments[i] + "\n\n" + USAGE);
            }
            options.put(arguments[i].substring(2), arguments[i + 1]);
        }
        return options;
    }

    private static String required(Map<String, String> options, String name) {
        if (!options.containsKey(name)) {
            throw fail("--" + name + " is missing\n\n" + USAGE);
        }
        return options.get(name);
    }

    private static int number(Map<String, String> options, String name, int otherwise) {
        return options.containsKey(name) ? Integer.parseInt(options.get(name)) : otherwise;
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    private static IllegalArgumentException fail(String message) {
        System.err.println("EngineDecode: " + message);
        System.exit(2);
        throw new IllegalArgumentException(message);
    }
}
