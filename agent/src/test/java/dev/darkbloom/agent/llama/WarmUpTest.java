package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.testing.FakeBehaviour;
import dev.darkbloom.agent.testing.FakeModel;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A warm context has computed, and holds nothing of it. */
class WarmUpTest {
    /** A divisor of the batch: pooling in llama.cpp v0.4.0 ends the process otherwise. */
    private static final int SLOTS = 4;
    private static final int CONTEXT = 256;

    private static ModelSpec spec(Path file, int contextTokens, boolean embedding) {
        return new ModelSpec("warm", List.of(file), contextTokens, SLOTS, KvLayout.STREAMS, (long) contextTokens * SLOTS, 0, embedding, "",
                ComputeSettings.safe(1, 64, 64).withFlashAttention(FlashAttention.OFF));
    }

    @Test
    void aTextContextReadsAPromptAndWritesATokenAndForgetsThem() {
        var behaviour = new FakeBehaviour();
        try (var model = new FakeModel(spec(Path.of("none"), CONTEXT, false), behaviour); TokenDecoder decoder = model.openDecoder()) {
            WarmUp.run(model, decoder, false);

            assertThat(behaviour.decodes()).isEqualTo(2);
            assertThat(behaviour.decodedTokens()).isEqualTo(17);
            assertThat(behaviour.logitRows()).isEqualTo(2);
            assertThat(behaviour.openSamplers()).isZero();
            assertThat(decoder.batchSize()).isZero();
            assertThat(decoder.lastPosition(0)).isEqualTo(-1);
        }
        assertThat(behaviour.violations()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 16})
    void aContextOfFewTokensIsNotOverrun(int contextTokens) {
        var behaviour = new FakeBehaviour();
        try (var model = new FakeModel(spec(Path.of("none"), contextTokens, false), behaviour); TokenDecoder decoder = model.openDecoder()) {
            WarmUp.run(model, decoder, false);

            assertThat(behaviour.decodedTokens()).isEqualTo(contextTokens);
            assertThat(decoder.lastPosition(0)).isEqualTo(-1);
        }
        assertThat(behaviour.violations()).isEmpty();
    }

    @Test
    void aContextThatCannotComputeIsNotHandedOut() {
        var behaviour = new FakeBehaviour();
        try (var model = new FakeModel(spec(Path.of("none"), CONTEXT, false), behaviour); TokenDecoder decoder = model.openDecoder()) {
            behaviour.nextCode(-3);

            assertThatThrownBy(() -> WarmUp.run(model, decoder, false))
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DECODE_FATAL));
        }
    }

    /** Every kind of memory, on generated models and the real library. */
    @Nested
    @Tag("model")
    class OnTheLibrary {
        @TempDir
        private Path folder;

        @ParameterizedTest
        @EnumSource(TinyModels.Kind.class)
        void everySequenceIsEmpty(TinyModels.Kind kind) {
            try (ModelRuntime model = load(kind); TokenDecoder warm = model.openDecoder()) {
                assertThat(warm.batchSize()).isZero();
                for (int sequence = 0; sequence < warm.sequences(); sequence++) {
                    assertThat(warm.firstPosition(sequence)).as("sequence " + sequence).isEqualTo(-1);
                    assertThat(warm.lastPosition(sequence)).as("sequence " + sequence).isEqualTo(-1);
                }
            }
        }

        @ParameterizedTest
        @EnumSource(value = TinyModels.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "EMBEDDING")
        void anAnswerIsThatOfAColdContext(TinyModels.Kind kind) {
            try (ModelRuntime model = load(kind)) {
                List<String> cold;
                try (TokenDecoder decoder = LlamaContext.open((LlamaModel) model, model.spec())) {
                    cold = answer(model, decoder);
                }
                try (TokenDecoder warm = model.openDecoder()) {
                    assertThat(answer(model, warm)).isEqualTo(cold);
                }
            }
        }

        @Test
        void anEmbeddingIsThatOfAColdContext() {
            try (ModelRuntime model = load(TinyModels.Kind.EMBEDDING)) {
                float[] cold;
                try (TokenDecoder decoder = LlamaContext.open((LlamaModel) model, model.spec())) {
                    cold = embedding(model, decoder);
                }
                try (TokenDecoder warm = model.openDecoder()) {
                    assertThat(embedding(model, warm)).containsExactly(cold);
                }
            }
        }

        private ModelRuntime load(TinyModels.Kind kind) {
            return LoadedModels.load(spec(kind.writer(7).write(folder.resolve("tiny.gguf")), CONTEXT, kind == TinyModels.Kind.EMBEDDING));
        }

        /** Returns tokens with their log-probabilities, which show a difference that the tokens hide. */
        private List<String> answer(ModelRuntime model, TokenDecoder decoder) {
            var answer = new ArrayList<String>();
            try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, CONTEXT); var arena = Arena.ofConfined()) {
                MemorySegment logprob = arena.allocate(ValueLayout.JAVA_FLOAT);
                int position = 0;
                int row = -1;
                decoder.clearBatch();
                for (int token : new int[] {65, 66, 67, 68, 69}) {
                    row = decoder.add(token, position++, 0, position == 5);
                }
                for (int i = 0; i < 12; i++) {
                    assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
                    int token = decoder.sample(sampler, row);
                    decoder.logprobs(row, token, 0, logprob, 0);
                    answer.add(token + " " + logprob.get(ValueLayout.JAVA_FLOAT, 0));
                    decoder.clearBatch();
                    row = decoder.add(token, position++, 0, true);
                }
            }
            return answer;
        }

        private float[] embedding(ModelRuntime model, TokenDecoder decoder) {
            decoder.clearBatch();
            for (int i = 0; i < 5; i++) {
                decoder.add(10 + i, i, 0, true);
            }
            assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
            try (var arena = Arena.ofConfined()) {
                MemorySegment target = arena.allocate(ValueLayout.JAVA_FLOAT, model.facts().embeddingSize());
                decoder.copyEmbedding(0, target);
                return target.toArray(ValueLayout.JAVA_FLOAT);
            }
        }
    }
}
