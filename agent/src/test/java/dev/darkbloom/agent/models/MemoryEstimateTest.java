package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.models.ModelDims.Accuracy;
import dev.darkbloom.agent.models.ModelDims.Layer;
import dev.darkbloom.agent.models.ModelDims.Memory;
import dev.darkbloom.agent.testing.ByteVocabulary;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.TinyModels;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The numbers for the tiny models are what llama.cpp v0.4.0 says that it allocates for them. */
class MemoryEstimateTest {
    @TempDir
    private Path folder;

    @Test
    void attentionKeepsKeysAndValuesOfEveryToken() {
        ModelDims dims = dims(TinyModels.llama(1));

        assertThat(dims.memory()).isEqualTo(Memory.ATTENTION);
        assertThat(dims.layers()).containsOnly(new Layer(32, 32, 0, 0)).hasSize(2);
        assertThat(MemoryEstimate.kvBytes(dims, 256, 2, CacheType.F16, CacheType.F16)).isEqualTo(128 << 10);
    }

    @Test
    void aContextIsRoundedUpLikeUpstreamDoes() {
        ModelDims dims = dims(TinyModels.llama(1));

        assertThat(MemoryEstimate.kvBytes(dims, 1, 1, CacheType.F16, CacheType.F16)).isEqualTo(64 << 10);
        assertThat(MemoryEstimate.kvBytes(dims, 257, 1, CacheType.F16, CacheType.F16)).isEqualTo(128 << 10);
    }

    @Test
    void quantizedCachesCountWholeBlocks() {
        ModelDims dims = dims(TinyModels.llama(1));

        assertThat(MemoryEstimate.kvBytes(dims, 256, 1, CacheType.Q8_0, CacheType.Q4_0)).isEqualTo(2 * 256 * (34 + 18));
    }

    @Test
    void aLayerWithAWindowKeepsTheWindowAndOneUbatch() {
        ModelDims dims = dims(TinyModels.slidingWindow(1));

        assertThat(dims.memory()).isEqualTo(Memory.SLIDING_WINDOW);
        assertThat(dims.layers()).extracting(Layer::windowTokens).containsExactly(16, 0, 16, 0);
        // Two layers of 8,192 cells and two of 768 = 16 + 512, rounded up; 64 elements of two bytes.
        assertThat(MemoryEstimate.kvBytes(dims, 8192, 1, CacheType.F16, CacheType.F16)).isEqualTo(2L * (8192 + 768) * 64 * 2);
    }

    @Test
    void aRecurrentModelKeepsAStateWhateverTheContext() {
        ModelDims dims = dims(TinyModels.recurrent(1));

        assertThat(dims.memory()).isEqualTo(Memory.RECURRENT);
        assertThat(MemoryEstimate.kvBytes(dims, 8192, 2, CacheType.F16, CacheType.F16)).isZero();
        // Three columns of the convolution and 16 states, for 128 channels in two layers, f32.
        assertThat(MemoryEstimate.stateBytes(dims, 2)).isEqualTo(2L * 2 * (3 + 16) * 128 * 4);
    }

    @Test
    void aHybridModelKeepsBothInTheirLayers() {
        ModelDims dims = dims(TinyModels.hybrid(1));

        assertThat(dims.memory()).isEqualTo(Memory.HYBRID);
        assertThat(dims.layers()).containsExactly(
                new Layer(0, 0, 0, 19 * 128), new Layer(32, 32, 0, 0), new Layer(0, 0, 0, 19 * 128), new Layer(32, 32, 0, 0));
    }

    @Test
    void anEncoderKeepsNothing() {
        ModelDims dims = dims(TinyModels.embedding(1));

        assertThat(dims.memory()).isEqualTo(Memory.NONE);
        assertThat(MemoryEstimate.kvBytes(dims, 512, 4, CacheType.F16, CacheType.F16)).isZero();
    }

    @Test
    void headsMayDifferFromLayerToLayer() {
        ModelDims dims = dims(TinyModels.llama(1).u32s("llama.attention.head_count_kv", 4, 1));

        assertThat(dims.layers()).extracting(Layer::keyElements).containsExactly(64, 16);
        // The widest V counts for both layers, which is what a cache without flash attention has.
        assertThat(MemoryEstimate.kvBytes(dims, 256, 1, CacheType.F16, CacheType.F16)).isEqualTo(256 * 2 * (64 + 16 + 2 * 64));
    }

    @Test
    void latentAttentionKeepsOneCompressedKeyAndNoValues() {
        var writer = new GgufWriter("deepseek2", 1).u32("deepseek2.block_count", 2).u32("deepseek2.embedding_length", 64)
                .u32("deepseek2.attention.head_count", 4).u32("deepseek2.attention.head_count_kv", 1)
                .u32("deepseek2.attention.key_length", 576).u32("deepseek2.attention.value_length", 512)
                .u32("deepseek2.attention.key_length_mla", 192).u32("deepseek2.attention.value_length_mla", 128);

        assertThat(dims(writer).layers()).containsOnly(new Layer(576, 0, 0, 0));
    }

    @Test
    void linearAttentionLayersKeepAStateAndEveryFourthLayerKeepsTokens() {
        var writer = new GgufWriter("qwen35", 1).u32("qwen35.block_count", 8).u32("qwen35.embedding_length", 64)
                .u32("qwen35.attention.head_count", 4).u32("qwen35.attention.head_count_kv", 2)
                .u32("qwen35.ssm.conv_kernel", 4).u32("qwen35.ssm.inner_size", 64).u32("qwen35.ssm.state_size", 16)
                .u32("qwen35.ssm.group_count", 2);

        assertThat(dims(writer).layers()).extracting(Layer::keyElements).containsExactly(0, 0, 0, 32, 0, 0, 0, 32);
        assertThat(dims(writer).layers().getFirst().stateElements()).isEqualTo(3 * (64 + 2 * 2 * 16) + 16 * 64);
    }

    @Test
    void anArchitectureWithCachesThatAreNotCountedSaysSo() {
        assertThat(dims(new GgufWriter("deepseek4", 1).u32("deepseek4.block_count", 2)).accuracy()).isEqualTo(Accuracy.UNKNOWN);
        assertThat(dims(new GgufWriter("llama9", 1).u32("llama9.block_count", 2)).accuracy()).isEqualTo(Accuracy.UNKNOWN);
    }

    @Test
    void numbersBeyondAllReasonGiveNoEstimateInsteadOfAnException() {
        GgufWriter writer = ByteVocabulary.addTo(new GgufWriter("jamba", 1), 300).u32("jamba.block_count", 512)
                .u32("jamba.embedding_length", Integer.MAX_VALUE).u32("jamba.attention.head_count", 1)
                .u32("jamba.attention.head_count_kv", Integer.MAX_VALUE).u32("jamba.ssm.inner_size", Integer.MAX_VALUE)
                .u32("jamba.ssm.state_size", Integer.MAX_VALUE).u32("jamba.ssm.conv_kernel", Integer.MAX_VALUE)
                .u32("jamba.ssm.group_count", Integer.MAX_VALUE);

        try (var model = GgufModel.open(writer.write(folder.resolve("huge.gguf")))) {
            MemoryEstimate estimate = MemoryEstimate.of(model, Integer.MAX_VALUE, Integer.MAX_VALUE);

            assertThat(estimate.accuracy()).isEqualTo(Accuracy.UNKNOWN);
            assertThat(estimate.totalBytes()).isNotNegative();
        }
    }

    @Test
    void sizesThatDoNotFitAreAnArithmeticError() {
        var dims = new ModelDims("llama", Memory.ATTENTION, 0, 0, 0, List.of(new Layer(Integer.MAX_VALUE, Integer.MAX_VALUE, 0, 0)),
                Accuracy.EXACT);

        assertThatThrownBy(() -> MemoryEstimate.kvBytes(dims, Integer.MAX_VALUE, 256, CacheType.F32, CacheType.F32))
                .isInstanceOf(ArithmeticException.class);
    }

    private ModelDims dims(GgufWriter writer) {
        try (var model = GgufModel.open(writer.writeSparse(folder.resolve("dims.gguf")))) {
            return ModelDims.of(model);
        }
    }
}
