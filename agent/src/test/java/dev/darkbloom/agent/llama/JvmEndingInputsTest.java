package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What would end the process by an abort, a C++ exception or a blown native stack is refused instead, and the model still answers. */
@Tag("model")
class JvmEndingInputsTest {
    private final Arena arena = Arena.ofConfined();
    private ModelRuntime model;
    private TokenDecoder decoder;

    @BeforeEach
    void open() {
        model = LoadedModels.demo(2);
        decoder = model.openDecoder();
    }

    @AfterEach
    void stillAnswersAndClose() {
        decoder.removeFrom(0, 0);
        int[] prompt = LoadedModels.tokens(model, LoadedModels.question("What colour is the sky?"));
        try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, 1024)) {
            assertThat(LoadedModels.text(model, decoder.sample(sampler, feed(prompt)))).isEqualTo("The");
        }
        decoder.close();
        model.close();
        arena.close();
    }

    private int feed(int[] prompt) {
        decoder.clearBatch();
        int row = -1;
        for (int i = 0; i < prompt.length; i++) {
            row = decoder.add(prompt[i], i, 0, i == prompt.length - 1);
        }
        assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
        return row;
    }

    private MemorySegment utf8(String text) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
    }

    private AgentException grammarRefusal(String gbnf) {
        return catchThrowableOfType(AgentException.class, () -> model.tokenizer().compileGrammar(utf8(gbnf)).close());
    }

    @Test
    void aBatchLargerThanTheContextTakesIsRefusedAtTheTokenTooMany() {
        decoder.clearBatch();
        for (int i = 0; i < decoder.batchTokens(); i++) {
            decoder.add(1, i, 0, false);
        }

        assertThatThrownBy(() -> decoder.add(1, decoder.batchTokens(), 0, false)).isInstanceOf(IllegalStateException.class)
                .hasMessage("the batch holds 512 tokens");
    }

    @Test
    void moreOutputsThanTheContextReservedAreRefused() {
        decoder.clearBatch();
        decoder.add(1, 0, 0, true);
        decoder.add(1, 0, 1, true);

        assertThatThrownBy(() -> decoder.add(1, 1, 1, true)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void tokensPositionsAndSequencesOutOfRangeAreRefused() {
        assertThatThrownBy(() -> decoder.add(-1, 0, 0, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.add(1536, 0, 0, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.add(1, -1, 0, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.add(1, 1024, 0, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.add(1, 0, 2, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.removeFrom(2, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.copySequence(0, -1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> model.tokenizer().pieces().offset(1 << 20)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void anEmptyBatchAndARowWithoutAnOutputAreRefused() {
        decoder.clearBatch();
        assertThatThrownBy(decoder::decode).isInstanceOf(IllegalStateException.class);

        decoder.add(1, 0, 0, false);
        decoder.decode();
        try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, 1024)) {
            assertThatThrownBy(() -> decoder.sample(sampler, 0)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> decoder.sample(sampler, 7)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void aGapInThePositionsIsAnErrorCodeAndNoAbort() {
        decoder.clearBatch();
        decoder.add(1, 0, 0, true);
        decoder.add(1, 9, 0, false);

        assertThat(decoder.decode()).isNegative();
    }

    @Test
    void anEndOfGenerationTokenBeforeTheGrammarIsFinishedIsNotPicked() {
        int end = LoadedModels.tokens(model, "<|im_end|>")[0];
        MemorySegment bias = arena.allocate(8, 4);
        bias.set(ValueLayout.JAVA_INT, 0, end);
        bias.set(ValueLayout.JAVA_FLOAT, 4, 100f);
        SamplerSettings greedy = SamplerSettings.greedy();
        var endAtOnce = new SamplerSettings(0, 0, 1, 0, 1, 0, 1, -1, 0, 0.1f, 0, 1, 0, 0, 0, 1.75f, 2, 0, 0, 5, 0.1f, -1, 0.9f, 1, 0, false,
                greedy.order(), bias, null);
        int[] prompt = LoadedModels.tokens(model, LoadedModels.question("Hello"));
        var written = new StringBuilder();
        try (TokenSampler sampler = model.newSampler(endAtOnce, model.tokenizer().compileGrammar(utf8("root ::= \"b\" \"a\" \"n\"")), 1024)) {
            int row = feed(prompt);
            int position = prompt.length;
            int token = decoder.sample(sampler, row);
            while (!model.tokenizer().pieces().isEndOfGeneration(token)) {
                written.append(LoadedModels.text(model, token));
                decoder.clearBatch();
                row = decoder.add(token, position++, 0, true);
                decoder.decode();
                token = decoder.sample(sampler, row);
            }
        }

        assertThat(written).hasToString("ban");
    }

    @Test
    void samplingOnAfterAGrammarHasEndedDoesNotEndTheProcess() {
        int[] prompt = LoadedModels.tokens(model, LoadedModels.question("Hello"));
        try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), model.tokenizer().compileGrammar(utf8("root ::= \"a\"")), 1024)) {
            int row = feed(prompt);
            int position = prompt.length;
            for (int i = 0; i < 4; i++) {
                int token = decoder.sample(sampler, row);
                if (token < 0) {
                    break;
                }
                decoder.clearBatch();
                row = decoder.add(token, position++, 0, true);
                decoder.decode();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {201, 5_000, 1_000_000})
    void aGrammarNestedTooDeepIsRefusedBeforeUpstreamReadsIt(int depth) {
        String gbnf = "root ::= " + "(".repeat(depth) + "\"a\"" + ")".repeat(depth);

        assertThat(grammarRefusal(gbnf).code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
    }

    @Test
    void aGrammarNestedAsDeepAsAllowedIsAccepted() {
        assertThat(grammarRefusal("root ::= " + "(".repeat(200) + "\"a\"" + ")".repeat(200))).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", "root", "root ::= (", "root ::= undefined", "root ::= root \"a\"", "a ::= \"b\"", "root ::= \"a\"{2,1}", "root ::= \"a\"{ 3 , 02 }",
        "root ::= \"a\"{100000000}", "root ::= [", "root ::= \"\\x\"", "root ::= a\na ::= b\nb ::= a", "\u0000", "::="})
    void aGrammarThatDoesNotParseIsATypedError(String gbnf) {
        AgentException refusal = grammarRefusal(gbnf);

        assertThat(refusal.code()).isEqualTo(ErrorCode.INVALID_GRAMMAR);
        assertThat(refusal.getMessage()).doesNotContain("undefined");
    }

    @Test
    void aSchemaWhoseMaximumIsBelowItsMinimumIsATypedError() {
        String schema = "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":5,\"maxItems\":2}";

        AgentException refusal = catchThrowableOfType(AgentException.class, () -> model.tokenizer().compileSchema(utf8(schema)).close());

        assertThat(refusal.code()).isIn(ErrorCode.INVALID_GRAMMAR, ErrorCode.INVALID_SCHEMA);
    }

    @Test
    void aTemplateNestedTooDeepIsRefusedBeforeUpstreamReadsIt() {
        String template = "{{ " + "(".repeat(20_000) + "1" + ")".repeat(20_000) + " }}";
        ModelSpec plain = LoadedModels.spec("deep", TestModels.demo(), 64, 1);
        var spec = plain.inStreams(64, 1).withTemplate(template).withCompute(ComputeSettings.safe(1, 64, 64));

        AgentException refusal = catchThrowableOfType(AgentException.class, () -> LoadedModels.load(spec));

        assertThat(refusal.code()).isEqualTo(ErrorCode.MODEL_INVALID);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{% if %}", "{{ 1 + }}", "{% for x %}{% endfor %}", "{% endif %}", "{{ unclosed", "{% nosuch %}"})
    void aTemplateThatDoesNotParseIsATypedError(String template) {
        ModelSpec plain = LoadedModels.spec("broken", TestModels.demo(), 64, 1);
        var spec = plain.inStreams(64, 1).withTemplate(template).withCompute(ComputeSettings.safe(1, 64, 64));

        AgentException refusal = catchThrowableOfType(AgentException.class, () -> LoadedModels.load(spec).close());

        if (refusal != null) { // upstream reads some of these as plain text
            assertThat(refusal.code()).isEqualTo(ErrorCode.MODEL_INVALID);
        }
    }

    @Test
    void messagesThatTheTemplateRefusesAreATypedError() {
        String template = "{{ raise_exception('no') }}";
        ModelSpec plain = LoadedModels.spec("strict", TestModels.demo(), 64, 1);
        var spec = plain.inStreams(64, 1).withTemplate(template).withCompute(ComputeSettings.safe(1, 64, 64));
        AgentException refusal = catchThrowableOfType(AgentException.class, () -> {
            try (ModelRuntime strict = LoadedModels.load(spec)) {
                strict.chatTemplate().apply(inputs("[{\"role\":\"user\",\"content\":\"canary\"}]")).close();
            }
        });

        // Upstream tries a template once while it loads it; one that always refuses is already refused there.
        assertThat(refusal.code()).isIn(ErrorCode.TEMPLATE_FAILED, ErrorCode.MODEL_INVALID);
        assertThat(refusal.getMessage()).doesNotContain("canary");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{}", "[1]", "[{}]", "[{\"role\":1}]", "[{\"role\":\"user\",\"content\":{}}]", "[", "nonsense", "null"})
    void messagesOfTheWrongFormAreATypedError(String messages) {
        AgentException refusal = catchThrowableOfType(AgentException.class, () -> model.chatTemplate().apply(inputs(messages)).close());

        if (refusal != null) {
            assertThat(refusal.code()).isIn(ErrorCode.INVALID_REQUEST, ErrorCode.TEMPLATE_FAILED);
        } else {
            assertThat(messages).isIn("[]", "[{\"role\":\"user\",\"content\":{}}]");
        }
    }

    private ChatTemplate.ChatInputs inputs(String messages) {
        return new ChatTemplate.ChatInputs(utf8(messages), MemorySegment.NULL, MemorySegment.NULL, MemorySegment.NULL, MemorySegment.NULL, 0,
                ChatTemplate.ToolChoice.AUTO, false, false, true, true, false);
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 5, 6, 7})
    void anEmbeddingModelIsPooledWithAnyNumberOfSlots(int slots, @TempDir Path folder) {
        Path file = TinyModels.Kind.EMBEDDING.writer(7).write(folder.resolve("encoder.gguf"));
        var spec = new ModelSpec("e", List.of(file), 64, slots, KvLayout.STREAMS, 64L * slots, 0, true, "", ComputeSettings.safe(1, 256, 256));

        assertThat(LoadedModels.backend().need(spec).totalBytes()).isPositive();
        try (ModelRuntime encoder = LoadedModels.load(spec); TokenDecoder decoder = encoder.openDecoder()) {
            decoder.clearBatch();
            decoder.add(5, 0, slots - 1, true);
            assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
        }
        ModelSpec fewer = spec.inStreams(64, slots / 2);
        assertThat(fewer.compute().batchTokens() % fewer.slots()).isZero();
    }

    @Test
    void anEmbeddingBatchBeyondWhatIsComputedAtOnceCannotEvenBeConfigured() {
        assertThatThrownBy(() -> new ModelSpec("e", List.of(TestModels.demo()), 512, 1, KvLayout.STREAMS, 512, 0, true, "",
                ComputeSettings.safe(1, 512, 256))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aContextBeyondWhatCanBeCountedIsACapacityError() {
        ModelSpec spec = LoadedModels.spec("vast", TestModels.demo(), 1 << 24, 128);

        AgentException refusal = catchThrowableOfType(AgentException.class, () -> LoadedModels.backend().need(spec));

        assertThat(refusal.code()).isEqualTo(ErrorCode.OUT_OF_MEMORY);
        assertThat(refusal).hasMessageContaining("128 slots of 16777216 tokens");
    }

    @Test
    void loadingCanBeStoppedFromTheProgressCallbackEvenByAnException() {
        ModelSpec spec = LoadedModels.spec("stopped", TestModels.demo(), 64, 1);

        AgentException stopped = catchThrowableOfType(AgentException.class, () -> LoadedModels.backend().open(spec, _ -> false));
        AgentException thrown = catchThrowableOfType(AgentException.class, () -> LoadedModels.backend().open(spec, _ -> {
            throw new IllegalStateException("a careless listener");
        }));

        assertThat(stopped.code()).isEqualTo(ErrorCode.CANCELLED);
        assertThat(thrown.code()).isEqualTo(ErrorCode.CANCELLED);
    }

    @Test
    void theMemoryNeedIsToldWithoutAllocatingIt() {
        ModelOpener.MemoryNeed small = LoadedModels.backend().need(LoadedModels.spec("demo", TestModels.demo(), 256, 1));
        ModelOpener.MemoryNeed large = LoadedModels.backend().need(LoadedModels.spec("demo", TestModels.demo(), 2048, 4));

        assertThat(small.weightBytes()).isEqualTo(large.weightBytes()).isBetween(1_900_000L, 2_600_000L);
        // 4 layers, 2 heads of 32 for each of K and V, 2 bytes each: 1,024 bytes a token.
        assertThat(small.contextBytes()).isEqualTo(256 * 1024);
        assertThat(large.contextBytes()).isEqualTo(4 * 2048 * 1024);
        assertThat(large.computeBytes()).isPositive();
    }
}
