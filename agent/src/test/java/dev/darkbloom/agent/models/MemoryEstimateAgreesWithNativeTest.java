package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.darkbloom.agent.llama.ModelOpener.MemoryNeed;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The estimate from the header is what llama.cpp's dry run says. */
@Tag("native")
class MemoryEstimateAgreesWithNativeTest {
    private static final int CONTEXT = 4096;
    private static final int SEQUENCES = 3;
    /** Every buffer of the backend is rounded up. */
    private static final long PADDING = 4096;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(value = TinyModels.Kind.class, names = {"LLAMA", "SLIDING_WINDOW", "RECURRENT", "HYBRID", "EXPERTS"})
    void forEachKindOfMemory(TinyModels.Kind kind) {
        agrees(kind.writer(1).write(folder.resolve("tiny.gguf")));
    }

    @Test
    void forTheDemo() {
        agrees(TestModels.demo());
    }

    private static void agrees(Path file) {
        MemoryNeed need = LoadedModels.backend().need(LoadedModels.spec("estimated", file, CONTEXT, SEQUENCES));
        try (var model = GgufModel.open(file)) {
            MemoryEstimate estimate = MemoryEstimate.of(model, CONTEXT, SEQUENCES);

            assertThat(estimate.accuracy()).isEqualTo(ModelDims.Accuracy.EXACT);
            assertThat(estimate.kvBytes() + estimate.stateBytes()).isCloseTo(need.contextBytes(), within(PADDING));
            assertThat(estimate.weightBytes()).isCloseTo(need.weightBytes(), within(need.weightBytes() / 10 + PADDING));
        }
    }
}
