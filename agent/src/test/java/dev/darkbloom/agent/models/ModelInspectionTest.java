package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.testing.TestModels;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelInspectionTest {
    @TempDir
    private Path folder;

    private Path demo;

    @BeforeEach
    void extract() {
        demo = EmbeddedDemo.extract(folder);
    }

    @Test
    void theDemoIsDescribedAsItsAuthorDescribesIt() {
        ModelInspection inspection = ModelInspection.of(demo, 2048, 4);

        assertThat(inspection.problem()).isEmpty();
        assertThat(inspection.parameters()).isEqualTo(1_869_504);
        assertThat(inspection.quantization()).isEqualTo("Q8_0");
        assertThat(inspection.dims().trainedContextTokens()).isEqualTo(2048);
        assertThat(inspection.dims().vocabularySize()).isEqualTo(1536);
        assertThat(inspection.dims().layers()).hasSize(4);
        assertThat(inspection.template()).hasValueSatisfying(template -> assertThat(template.tools() && template.thinking()).isTrue());
    }

    @Test
    void memoryIsTwoHeadsOfThirtyTwoForKeysAndForValues() {
        ModelInspection inspection = ModelInspection.of(demo, 2048, 4);

        long elements = 4L * 2 * 2 * 32 * 2048 * 4;   // layers, K and V, heads, length, tokens, sequences
        assertThat(inspection.memory().kvBytes()).isEqualTo(2 * elements);
        assertThat(inspection.memory().accuracy()).isEqualTo(ModelDims.Accuracy.EXACT);
    }

    @Test
    void theTableSaysEachThingOnItsOwnLine() {
        String text = ModelInspection.of(demo, 0, 1).toText();

        assertThat(text.lines()).contains(
                "id             demo",
                "architecture   llama (attention), 4 layers, width 192",
                "parameters     1.87 million",
                "context        2,048 tokens trained",
                "vocabulary     1,536 tokens, gpt2, pre-tokenizer qwen2",
                "loadable       yes");
    }

    @Test
    void theJsonHasUnitsInItsKeysAndNothingUnknown() throws Exception {
        JsonNode json = new ObjectMapper().readTree(ModelInspection.of(demo, 1024, 2).toJson());

        assertThat(json.fieldNames()).toIterable().containsExactly("id", "files", "size_bytes", "gguf_version", "name", "architecture",
                "memory_kind", "layers", "embedding_length", "parameters", "quantization", "tensor_types", "trained_context_tokens",
                "vocabulary_tokens", "tokenizer", "pre_tokenizer", "chat_template", "embedding_model", "memory", "loadable", "problem");
        assertThat(json.get("memory").get("context_tokens").asInt()).isEqualTo(1024);
        assertThat(json.get("problem").isNull()).isTrue();
    }

    @Test
    @Tag("realmodel")
    void aRealModelIsDescribed() {
        ModelInspection inspection = ModelInspection.of(TestModels.smollm2(), 0, 1);

        assertThat(inspection.problem()).isEmpty();
        assertThat(inspection.quantization()).isEqualTo("Q4_1");
        assertThat(inspection.parameters()).isEqualTo(134_515_008);
        assertThat(inspection.dims().layers()).hasSize(30);
        assertThat(inspection.contextTokens()).isEqualTo(8192);
        // 30 layers with 3 key heads of 64 elements, for K and for V, two bytes each.
        assertThat(inspection.memory().kvBytes()).isEqualTo(30L * 2 * 3 * 64 * 2 * 8192);
    }
}
