package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerCheckTest {
    private static final String TOKENS = "tokenizer.ggml.tokens";

    @TempDir
    private Path folder;

    @Test
    void aFileWithoutATokenizerIsRefused() {
        refused(TinyModels.llama(1).without("tokenizer.ggml.model"), "tokenizer.ggml.model is missing");
        refused(TinyModels.llama(1).text("tokenizer.ggml.model", "none"), "a model without a vocabulary cannot be served");
        refused(TinyModels.llama(1).text("tokenizer.ggml.model", "abacus"), "is abacus, which this llama.cpp does not know");
    }

    @Test
    void tokensMustBeAnArrayOfTexts() {
        refused(TinyModels.llama(1).without(TOKENS), TOKENS + " is missing");
        refused(TinyModels.llama(1).texts(TOKENS, List.of()), TOKENS + " is empty");
        refused(TinyModels.llama(1).u32(TOKENS, 3), TOKENS + " must be an array of str");
        refused(TinyModels.llama(1).i32s(TOKENS, 1, 2), TOKENS + " must be an array of str");
    }

    @Test
    void aTokenThatAppearsTwiceIsRefusedWithBothPlaces() {
        refused(withTokens("a", "b", "c", "b"), "tokens 1 and 3 are the same");
    }

    @Test
    void tokensThatAreTheSameUpToAZeroAreTheSameInC() {
        refused(withTokens("a", "b\0c", "b"), "tokens 1 and 2 are the same");
    }

    @Test
    void anEmptyTokenGetsANameThatAnotherTokenMayHave() {
        refused(withTokens("a", "", "[EMPTY_1]"), "tokens 1 and 2 are the same");
        passesAllButTheEmbedding(withTokens("a", "", "b"));
    }

    @Test
    void aTokenLongerThanAnyRealOneIsRefused() {
        refused(withTokens("a", "x".repeat(4097)), "token 1 has 4097 bytes; at most 4096");
    }

    @Test
    void typesAndScoresMustCoverTheVocabulary() {
        refused(withTokens("a", "b", "c").i32s("tokenizer.ggml.token_type", 1, 1), "token_type has 2 values for 3 tokens");
        refused(withTokens("a", "b", "c").f32s("tokenizer.ggml.scores", 1), "scores has 1 values for 3 tokens");
        refused(withTokens("a").u32s("tokenizer.ggml.token_type", 1), "token_type must be an array of i32");
        refused(withTokens("a").f32s("tokenizer.ggml.scores", Float.NaN), "not a number");
    }

    @Test
    void aBytePairVocabularyNeedsItsMerges() {
        refused(TinyModels.llama(1).without("tokenizer.ggml.merges"), "tokenizer.ggml.merges is missing");
    }

    @Test
    void specialTokensMayBeOutOfRangeAsLongAsNoneIsAdded() {
        accepted(TinyModels.llama(1).u32("tokenizer.ggml.bos_token_id", 4_000_000).u32("tokenizer.ggml.padding_token_id", 4_294_967_295L));
    }

    @ParameterizedTest
    @CsvSource({"bos, false", "eos, true"})
    void aTokenThatIsAddedToEachTextMustExist(String name, boolean end) {
        GgufWriter writer = withTokens("a", "b").without("tokenizer.ggml.eos_token_id");

        refused(writer.flag("tokenizer.ggml.add_" + name + "_token", true), "tokenizer.ggml." + name + "_token_id does not name");
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-bpe", "tekken", "gemma4"})
    void somePreTokenizersAddABeginningWithoutBeingTold(String preTokenizer) {
        GgufWriter writer = withTokens("a", "b").text("tokenizer.ggml.pre", preTokenizer).without("tokenizer.ggml.add_bos_token");

        refused(writer, "bos_token_id does not name");
    }

    @Test
    void aWordPieceVocabularyNeedsItsFrameAndHasNoBytes() {
        refused(TinyModels.embedding(1).without("tokenizer.ggml.seperator_token_id").without("tokenizer.ggml.bos_token_id")
                .texts(TOKENS, List.of("a", "b")).without("tokenizer.ggml.token_type"), "_token_id does not name");
        refused(TinyModels.embedding(1).i32s("tokenizer.ggml.token_type", IntStream.generate(() -> 6).limit(144).toArray()),
                "marks a byte token");
    }

    @Test
    void aSentencePieceVocabularyNeedsEveryByte() {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        for (int value = 0; value < 256; value++) {
            tokens.add(String.format("<0x%02X>", value));
        }
        passesAllButTheEmbedding(sentencePieces(tokens));

        tokens.remove("<0x80>");

        refused(sentencePieces(tokens), "no token for byte 0x80");
    }

    @Test
    void anRwkvVocabularyNeedsEveryByte() {
        List<String> tokens = new ArrayList<>(List.of("<s>"));
        for (int value = 1; value < 256; value++) {
            tokens.add(value == '\n' ? "\\n" : String.format("\\x%02x", value));
        }
        passesAllButTheEmbedding(vocabulary("rwkv", tokens));

        tokens.remove("\\n");

        refused(vocabulary("rwkv", tokens), "no token for byte 0x0A");
    }

    private static GgufWriter sentencePieces(List<String> tokens) {
        return vocabulary("llama", tokens);
    }

    private static GgufWriter vocabulary(String model, List<String> tokens) {
        return TinyModels.llama(1).text("tokenizer.ggml.model", model).texts(TOKENS, tokens).without("tokenizer.ggml.token_type")
                .without("tokenizer.ggml.eos_token_id");
    }

    private static GgufWriter withTokens(String... tokens) {
        return TinyModels.llama(1).texts(TOKENS, List.of(tokens)).without("tokenizer.ggml.token_type");
    }

    private void accepted(GgufWriter writer) {
        assertThatCode(() -> check(writer)).doesNotThrowAnyException();
    }

    /** The embedding matrix is still that of another vocabulary, which is checked last. */
    private void passesAllButTheEmbedding(GgufWriter writer) {
        refused(writer, "token_embd.weight is 64 x 295");
    }

    private void refused(GgufWriter writer, String part) {
        assertThatThrownBy(() -> check(writer)).isInstanceOf(AgentException.class).hasMessageContaining(part);
    }

    private void check(GgufWriter writer) {
        try (var model = GgufModel.open(writer.writeSparse(folder.resolve("model.gguf")))) {
            ModelCheck.check(model);
        }
    }
}
