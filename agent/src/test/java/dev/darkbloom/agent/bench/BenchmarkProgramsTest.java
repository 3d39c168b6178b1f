package dev.darkbloom.agent.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** That the programs of {@code scripts/bench} measure something; how much is not looked at. */
@Tag("model")
@Timeout(180)
class BenchmarkProgramsTest {
    private static final int PREDICT = 60;

    @TempDir
    private Path folder;

    @Test
    void windowsLieInsideTheirRounds() throws Exception {
        var settings = EngineSettings.defaults().withMinContextTokens(8);
        try (Engine engine = Engine.open(settings, LoadedModels.backend(), new MemoryLedger(Long.MAX_VALUE), NanoClock.SYSTEM)) {
            engine.register(LoadedModels.spec("bench", TestModels.demo(), 128, 3), false);
            try (ModelLease lease = engine.acquire("bench"); var rounds = new DecodeRounds(lease, List.of("Hello!", "Who are you?"), PREDICT, 1)) {
                for (boolean withReaders : new boolean[] {false, true}) {
                    DecodeRounds.Figure figure = rounds.measure(3, 1, withReaders);
                    while (figure.tokens() == 0) { // on a busy machine nobody looked before the round was over
                        figure = rounds.measure(3, 1, withReaders);
                    }

                    assertThat(figure.rounds()).isEqualTo(1);
                    assertThat(figure.tokens()).isBetween(1L, 3L * PREDICT - 3);
                    assertThat(figure.nanos()).isPositive();
                }
            }
        }
    }

    @Test
    void sweepTellsEveryCombination() throws Exception {
        Path prompts = Files.writeString(folder.resolve("prompts"), "Hello!\nWho are you?\n");
        Path json = folder.resolve("ceiling.json");
        Path program = Path.of(System.getProperty("darkbloom.project.root"), "native", "target", "bench", "llama-ceiling");

        Process process = new ProcessBuilder(program.toString(), "--model", TestModels.demo().toString(), "--text", prompts.toString(), "--streams", "1,2",
                "--threads", "1", "--predict", "8", "--ctx", "64", "--repetitions", "1", "--scout-ms", "1", "--least-ms", "0", "--warmup", "1", "--gpu-layers",
                "0", "--keep-within", "100", "--json", json.toString()).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());

        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("The ceiling");
        JsonNode entries = new ObjectMapper().readTree(json.toFile());
        assertThat(entries).hasSize(2 + 4); // flash attention on and off, and with two sequences two layouts each
        for (JsonNode entry : entries) {
            assertThat(entry.get("decode_tokens_per_second")).hasSize(1);
            assertThat(entry.get("decode_tokens_per_second").get(0).asDouble()).isPositive();
        }
    }
}
