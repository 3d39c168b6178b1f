package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.ByteVocabulary;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.GgufWriter.Fill;
import dev.darkbloom.agent.testing.TinyModels;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each of the refused models here once ended the process, or would: by an assertion, a division by zero, a null pointer, a loop. */
class ModelCheckTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(TinyModels.Kind.class)
    void theTinyModelsPass(TinyModels.Kind kind) {
        accepted(kind.writer(1));
    }

    @Test
    void aFileWithoutAnArchitectureIsRefused() {
        refused(TinyModels.llama(1).without("general.architecture"), "general.architecture is missing");
    }

    @Test
    void anArchitectureOfTheFutureIsRefusedByName() {
        refused(TinyModels.llama(1).text("general.architecture", "llama9"), "architecture llama9 is not one that this llama.cpp knows");
    }

    @ParameterizedTest
    @ValueSource(strings = {"clip", "eagle3", "dflash", "wavtokenizer-dec"})
    void aPartOfAnotherModelIsRefused(String architecture) {
        refused(TinyModels.llama(1).text("general.architecture", architecture), "is a part of another model");
    }

    @ParameterizedTest
    @ValueSource(strings = {"t5", "llada", "dream"})
    void modelsThatDoNotGenerateTokenByTokenAreRefused(String architecture) {
        refused(TinyModels.llama(1).text("general.architecture", architecture), "does not generate token by token");
    }

    @Test
    void anAdapterIsRefused() {
        refused(TinyModels.llama(1).text("general.type", "adapter"), "general.type is adapter");
    }

    @Test
    void aVocabularyWithoutWeightsIsRefused() {
        GgufWriter writer = ByteVocabulary.addTo(new GgufWriter("llama", 1), 300);

        refused(writer.u32("llama.context_length", 8).u32("llama.embedding_length", 8).u32("llama.block_count", 1)
                .u32("llama.attention.head_count", 1), "holds no tensors");
    }

    @ParameterizedTest
    @ValueSource(strings = {"context_length", "embedding_length", "block_count"})
    void theKeysThatEveryArchitectureNeedsAreDemanded(String suffix) {
        refused(TinyModels.llama(1).without("llama." + suffix), "llama." + suffix + " is missing");
        refused(TinyModels.llama(1).i32("llama." + suffix, 64), "llama." + suffix + " has type i32; it must be u32");
        refused(TinyModels.llama(1).u32("llama." + suffix, 0), "llama." + suffix + " is 0; it must be 1 to");
    }

    @Test
    void moreLayersThanUpstreamHasRoomForAreRefused() {
        refused(TinyModels.llama(1).u32("llama.block_count", 513), "llama.block_count is 513; it must be 1 to 512");
    }

    @Test
    void asManyPredictedLayersAsLayersAreRefused() {
        refused(TinyModels.llama(1).u32("llama.nextn_predict_layers", 2), "must be less than the 2 layers");
    }

    @Test
    void asManyLayersWithPicturesAsLayersAreRefused() {
        refused(TinyModels.llama(1).u32("llama.n_deepstack_layers", 2), "llama.n_deepstack_layers is 2; it must be less than the 2 layers");
    }

    @Test
    void aModelWithoutHeadsIsRefused() {
        refused(TinyModels.llama(1).u32("llama.attention.head_count", 0), "layer 0 has 0 heads");
        refused(TinyModels.llama(1).without("llama.attention.head_count"), "layer 0 has 0 heads");
    }

    @Test
    void headsThatKeyHeadsDoNotDivideAreRefused() {
        refused(TinyModels.llama(1).u32("llama.attention.head_count_kv", 3), "4 heads, which is no multiple of its 3 key heads");
    }

    @Test
    void moreHeadsThanTheWidthAreRefused() {
        refused(TinyModels.llama(1).u32("llama.attention.head_count", 100).u32("llama.attention.head_count_kv", 1),
                "embedding_length 64 is too little for 100 heads");
    }

    @Test
    void anArrayOfHeadsForOtherLayersIsRefused() {
        refused(TinyModels.llama(1).u32s("llama.attention.head_count", 4, 4, 4), "has 3 values for 2 layers");
        refused(TinyModels.llama(1).f32s("llama.attention.head_count", 4, 4), "is an array of f32; it must be u32");
    }

    @Test
    void keysAndValuesOfDifferentLengthsAreRefused() {
        refused(TinyModels.llama(1).u32("llama.attention.key_length", 32), "keys of 32 and values of 16 elements");
    }

    @ParameterizedTest
    @CsvSource({"llama, LLAMA, 8", "gemma3, SLIDING_WINDOW, 0", "gemma3, SLIDING_WINDOW, 7", "gemma3, SLIDING_WINDOW, 32"})
    void rotatingTooMuchTooLittleOrAnOddNumberIsRefused(String architecture, TinyModels.Kind kind, int dimensions) {
        refused(kind.writer(1).u32(architecture + ".rope.dimension_count", dimensions), "of a head");
    }

    @Test
    void aProjectionOfOtherHeadsIsRefused() {
        refused(TinyModels.llama(1).tensor("blk.1.attn_k.weight", GgmlType.Q8_0, 64, 64),
                "blk.1.attn_k.weight is 64 x 64; its heads make 32 rows");
    }

    @Test
    void anUnknownScalingOfPositionsIsRefused() {
        refused(TinyModels.llama(1).text("llama.rope.scaling.type", "magic"), "llama.rope.scaling.type is not one of");
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, -1e-5})
    void anEpsilonThatNormsAssertOnIsRefused(double epsilon) {
        refused(TinyModels.llama(1).f32("llama.attention.layer_norm_rms_epsilon", epsilon), "layer_norm_rms_epsilon is");
    }

    @ParameterizedTest
    @CsvSource({"0, 2", "4, 0", "4, 5", "1025, 2"})
    void expertsThatDoNotAddUpAreRefused(int experts, int used) {
        refused(TinyModels.experts(1).u32("llama.expert_count", experts).u32("llama.expert_used_count", used), "llama.expert_");
    }

    @ParameterizedTest
    @CsvSource({"4, 1", "3, 1", "2, 0", "2, 2"})
    void groupsThatDoNotDivideTheExpertsAreRefused(int groups, int used) {
        refused(TinyModels.experts(1).u32("llama.expert_group_count", groups).u32("llama.expert_group_used_count", used), "group");
    }

    @Test
    void aMixtureOfExpertsWithoutExpertsIsRefused() {
        refused(renamed("olmoe"), "architecture olmoe needs experts");
    }

    @Test
    void anArchitectureWithWindowsNeedsALayerThatHasOne() {
        refused(TinyModels.slidingWindow(1).u32("gemma3.attention.sliding_window_pattern", 1), "gives 0 of 4 layers a window");
    }

    @Test
    void aWindowThatOverflowsItsCacheIsRefused() {
        refused(TinyModels.slidingWindow(1).u32("gemma3.attention.sliding_window", (1L << 32) - 1), "sliding_window is 4294967295");
    }

    @Test
    void aStateOfAnotherSizeThanTwiceTheWidthIsRefused() {
        refused(TinyModels.recurrent(1).u32("mamba.ssm.inner_size", 64), "mamba.ssm.inner_size is 64; it must be twice");
        refused(TinyModels.hybrid(1).u32("jamba.ssm.inner_size", 64), "jamba.ssm.inner_size is 64; it must be twice");
    }

    @Test
    void aConvolutionOverOneTokenIsRefused() {
        refused(TinyModels.recurrent(1).u32("mamba.ssm.conv_kernel", 1), "mamba.ssm.conv_kernel is 1; it must be 2 to 64");
    }

    @Test
    void outputsWiderThanTheModelAreRefused() {
        refused(TinyModels.embedding(1).u32("bert.embedding_length_out", 1 << 20), "bert.embedding_length_out is 1048576");
    }

    @Test
    void anEncoderThatDoesNotPoolIsRefused() {
        refused(TinyModels.embedding(1).without("bert.pooling_type"), "bert.pooling_type is 0 or missing");
        refused(TinyModels.llama(1).flag("llama.attention.causal", false), "llama.pooling_type is 0 or missing");
    }

    @Test
    void anUnknownPoolingIsRefused() {
        refused(TinyModels.embedding(1).u32("bert.pooling_type", 5), "bert.pooling_type is 5; it must be 0 to 4");
    }

    @ParameterizedTest
    @EnumSource(value = GgmlType.class, names = {"F16", "Q8_0", "Q4_0", "I8", "F64"})
    void aNormThatIsNotF32IsRefused(GgmlType type) {
        refused(TinyModels.llama(1).tensor("blk.0.attn_norm.weight", type, 64),
                "blk.0.attn_norm.weight has type " + type + "; it must be F32");
    }

    @ParameterizedTest
    @EnumSource(value = GgmlType.class, names = {"Q8_1", "I8", "I16", "I32", "I64", "F64"})
    void weightsOfATypeForOtherThingsAreRefused(GgmlType type) {
        refused(TinyModels.llama(1).tensor("blk.0.attn_q.weight", type, 64, 64), "has type " + type + ", which no weights have");
    }

    @Test
    void anEmbeddingOfAnotherVocabularyIsRefused() {
        refused(TinyModels.llama(1).tensor("token_embd.weight", GgmlType.Q8_0, 64, 300), "token_embd.weight is 64 x 300; "
                + "embedding_length and vocabulary make it 64 x 295");
    }

    @Test
    void aPhiModelWithoutItsProjectionsIsRefused() {
        GgufWriter writer = renamed("phi3").withoutTensor("blk.1.attn_v.weight");

        refused(writer, "layer 1 has no attn_qkv.weight, which phi3 needs");
    }

    @Test
    void aTemplateThatNestsTooDeepIsRefused() {
        String template = "{{ " + "(".repeat(20_000) + "1" + ")".repeat(20_000) + " }}";

        refused(TinyModels.llama(1).text("tokenizer.chat_template", template), "tokenizer.chat_template nests 20000 deep; at most 200");
        refused(TinyModels.llama(1).text("tokenizer.chat_template.tool_use", template), "tokenizer.chat_template.tool_use nests");
    }

    @Test
    void messagesQuoteNoMoreOfAFileThanALine() {
        String name = "x".repeat(100_000);

        assertThatThrownBy(() -> check(TinyModels.llama(1).text("general.architecture", name)))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(300));
    }

    @Test
    void biasesAndFrequencyFactorsOfTheRightTypePass() {
        accepted(TinyModels.llama(1).tensor("blk.0.attn_q.bias", GgmlType.F32, Fill.ZEROS, 64)
                .tensor("rope_freqs.weight", GgmlType.F32, Fill.ONES, 8));
    }

    /** Returns the tiny llama under another architecture's name. */
    private static GgufWriter renamed(String architecture) {
        GgufWriter writer = new GgufWriter(architecture, 1);
        writer.u32(writer.own("context_length"), 64).u32(writer.own("embedding_length"), 64).u32(writer.own("block_count"), 2)
                .u32(writer.own("attention.head_count"), 4);
        ByteVocabulary.addTo(writer, 300).tensor("token_embd.weight", GgmlType.F16, 64, 300);
        for (int i = 0; i < 2; i++) {
            for (String name : new String[] {"attn_q", "attn_k", "attn_v"}) {
                writer.tensor("blk." + i + "." + name + ".weight", GgmlType.F16, 64, 64);
            }
        }
        return writer;
    }

    private void accepted(GgufWriter writer) {
        assertThatCode(() -> check(writer)).doesNotThrowAnyException();
    }

    private void refused(GgufWriter writer, String part) {
        assertThatThrownBy(() -> check(writer))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_INVALID))
                .hasMessageStartingWith("model.gguf: ")
                .hasMessageContaining(part);
    }

    private void check(GgufWriter writer) {
        try (var model = GgufModel.open(writer.writeSparse(folder.resolve("model.gguf")))) {
            ModelCheck.check(model);
        }
    }
}
