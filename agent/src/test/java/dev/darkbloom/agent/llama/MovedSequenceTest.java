package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What the engine does to have sequences computed together: an answer that goes on in another sequence, and rows that are taken back, change
 * no token, on every kind of memory.
 */
@Tag("model")
class MovedSequenceTest {
    private static final int PROMPT = 300; // more than a sliding window
    private static final int ANSWER = 40;
    private static final int MOVED_AFTER = 15;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(value = TinyModels.Kind.class, names = "EMBEDDING", mode = EnumSource.Mode.EXCLUDE)
    void anAnswerGoesOnInAnotherSequenceAsIfNothingHadHappened(TinyModels.Kind kind) {
        Path file = folder.resolve("tiny.gguf");
        kind.writer(11).write(file);
        try (ModelRuntime model = LoadedModels.load(LoadedModels.spec("tiny", file, 512, 4))) {
            int[] stayed = answer(model, false, false);

            assertThat(answer(model, true, false)).isEqualTo(stayed);
            if (model.facts().memoryKind() == MemoryKind.ATTENTION) {
                assertThat(answer(model, false, true)).isEqualTo(stayed);
                assertThat(answer(model, true, true)).isEqualTo(stayed);
            }
        }
    }

    /** Answers in sequence 3, beside a second answer in sequence 1; {@code moved}: in sequence 0 from the middle on. */
    private static int[] answer(ModelRuntime model, boolean moved, boolean filled) {
        int[] answer = new int[ANSWER];
        try (TokenDecoder decoder = model.openDecoder(); TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, 512);
                TokenSampler beside = model.newSampler(SamplerSettings.greedy(), null, 512)) {
            decoder.clearBatch();
            int besideRow = feed(decoder, 1);
            decoder.decode();
            int besideToken = decoder.sample(beside, besideRow);
            decoder.clearBatch();
            int row = feed(decoder, 3);
            decoder.decode();
            int sequence = 3;
            for (int i = 0; i < ANSWER; i++) {
                answer[i] = decoder.sample(sampler, row);
                if (moved && i == MOVED_AFTER) {
                    decoder.copySequence(3, 0);
                    decoder.removeFrom(3, 0);
                    sequence = 0;
                }
                decoder.clearBatch();
                if (sequence == 0) {
                    row = decoder.add(answer[i], PROMPT + i, 0, true);
                }
                besideRow = decoder.add(besideToken, PROMPT + i, 1, true);
                if (filled) {
                    decoder.add(0, 0, 2, false);
                }
                if (sequence == 3) {
                    row = decoder.add(answer[i], PROMPT + i, 3, true);
                }
                assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
                if (filled) {
                    assertThat(decoder.removeFrom(2, 0)).isTrue();
                }
                besideToken = decoder.sample(beside, besideRow);
            }
        }
        return answer;
    }

    private static int feed(TokenDecoder decoder, int sequence) {
        return IntStream.range(0, PROMPT).map(i -> decoder.add(3 + i * 7 % 200, i, sequence, i == PROMPT - 1)).max().orElseThrow();
    }
}
