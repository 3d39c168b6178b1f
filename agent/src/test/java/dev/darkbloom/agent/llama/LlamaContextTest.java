package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.within;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.testing.LoadedModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The demo model, driven by hand: what the engine relies on. */
@Tag("model")
class LlamaContextTest {
    private ModelRuntime model;
    private TokenDecoder decoder;

    @BeforeEach
    void open() {
        model = LoadedModels.demo(2);
        decoder = model.openDecoder();
    }

    @AfterEach
    void close() {
        decoder.close();
        model.close();
    }

    /** Decodes {@code prompt} into {@code sequence} from {@code position} on and continues greedily to the end of the answer. */
    private String answer(int sequence, int[] prompt, int position) {
        var produced = new ArrayList<Integer>();
        try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, 1024)) {
            int row = feed(sequence, prompt, position);
            int next = position + prompt.length;
            int token = decoder.sample(sampler, row);
            while (!model.tokenizer().pieces().isEndOfGeneration(token) && produced.size() < 100) {
                produced.add(token);
                decoder.clearBatch();
                row = decoder.add(token, next++, sequence, true);
                assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
                token = decoder.sample(sampler, row);
            }
        }
        return LoadedModels.text(model, produced.stream().mapToInt(Integer::intValue).toArray());
    }

    private int feed(int sequence, int[] prompt, int position) {
        decoder.clearBatch();
        int row = -1;
        for (int i = 0; i < prompt.length; i++) {
            row = decoder.add(prompt[i], position + i, sequence, i == prompt.length - 1);
        }
        assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);
        return row;
    }

    private int[] prompt(String question) {
        return LoadedModels.tokens(model, LoadedModels.question(question));
    }

    @Test
    void theDemoModelAnswersAsItWasTrained() {
        assertThat(answer(0, prompt("What is the capital of France?"), 0)).isEqualTo("The capital of France is Paris.");
    }

    @Test
    void otherThreadsGoOnWhereTheOnesBeforeStopped() {
        int[] whole = prompt("What is the capital of France?");
        feed(0, java.util.Arrays.copyOf(whole, whole.length - 2), 0);
        decoder.replaceThreads(3, 0); // never computes
        decoder.replaceThreads(2, 1);
        assertThat(decoder.threads()).isEqualTo(2);
        feed(0, new int[] {whole[whole.length - 2]}, whole.length - 2);
        decoder.computeWith(1);
        decoder.replaceThreads(1, 50);

        assertThat(answer(0, new int[] {whole[whole.length - 1]}, whole.length - 1)).isEqualTo("The capital of France is Paris.");
        assertThat(decoder.threads()).isEqualTo(1);
        assertThatThrownBy(() -> decoder.computeWith(2)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void threadsThatCannotBeReplacedStay() {
        assertThatThrownBy(() -> decoder.replaceThreads(0, 0)).isInstanceOf(AgentException.class);

        assertThat(decoder.threads()).isEqualTo(1);
        assertThat(answer(0, prompt("What is the capital of France?"), 0)).isEqualTo("The capital of France is Paris.");
    }

    @Test
    void aColdContextAnswersLikeAWarmOne() {
        decoder.close();
        decoder = model.openCold(model.spec());

        assertThat(answer(0, prompt("What is the capital of France?"), 0)).isEqualTo("The capital of France is Paris.");
    }

    @Test
    void factsAreReadFromTheFile() {
        ModelRuntime.ModelFacts facts = model.facts();

        assertThat(facts.architecture()).isEqualTo("llama");
        assertThat(facts.quantization()).isEqualTo("Q8_0");
        assertThat(facts.parameters()).isEqualTo(1_869_504);
        assertThat(facts.trainedContextTokens()).isEqualTo(2048);
        assertThat(facts.vocabularySize()).isEqualTo(1536);
        assertThat(facts.memoryKind()).isEqualTo(ModelRuntime.MemoryKind.ATTENTION);
        assertThat(facts.pooled()).isFalse();
    }

    @Test
    void aTailThatIsCutOffLeavesThePrefixUsable() {
        int[] whole = prompt("What is the capital of France?");
        answer(0, whole, 0);
        int kept = whole.length / 2;

        assertThat(decoder.removeFrom(0, kept)).isTrue();
        assertThat(decoder.lastPosition(0)).isEqualTo(kept - 1);
        int[] tail = java.util.Arrays.copyOfRange(whole, kept, whole.length);

        assertThat(answer(0, tail, kept)).isEqualTo("The capital of France is Paris.");
    }

    @Test
    void aCopiedSequenceAnswersLikeItsOriginal() {
        int[] whole = prompt("What colour is the sky?");
        int[] head = java.util.Arrays.copyOf(whole, whole.length - 1);
        feed(0, head, 0);

        decoder.copySequence(0, 1);

        assertThat(answer(1, new int[] {whole[whole.length - 1]}, whole.length - 1)).isEqualTo("The sky is blue.");
    }

    @Test
    void twoSequencesInOneBatchDoNotDisturbEachOther() {
        int[] first = prompt("What is 2 + 2?");
        int[] second = prompt("Who are you?");
        decoder.clearBatch();
        for (int i = 0; i < first.length - 1; i++) {
            decoder.add(first[i], i, 0, false);
        }
        for (int i = 0; i < second.length - 1; i++) {
            decoder.add(second[i], i, 1, false);
        }
        assertThat(decoder.decode()).isEqualTo(TokenDecoder.DECODED);

        assertThat(answer(1, new int[] {second[second.length - 1]}, second.length - 1))
                .isEqualTo("I am bloom-demo, a tiny language model that ships inside the Darkbloom agent.");
        assertThat(answer(0, new int[] {first[first.length - 1]}, first.length - 1)).isEqualTo("2 + 2 = 4.");
    }

    @Test
    void logProbabilitiesAreThoseOfTheRawLogitsMostLikelyFirst() {
        int row = feed(0, prompt("What is the capital of France?"), 0);
        try (var arena = Arena.ofConfined(); TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, 1024)) {
            int token = decoder.sample(sampler, row);
            MemorySegment entry = arena.allocate(4 + 8 * 5, 8);

            decoder.logprobs(row, token, 5, entry, 0);

            float own = entry.get(ValueLayout.JAVA_FLOAT, 0);
            assertThat(entry.get(ValueLayout.JAVA_INT, 4)).isEqualTo(token);
            assertThat(entry.get(ValueLayout.JAVA_FLOAT, 8)).isEqualTo(own);
            double sum = 0;
            float last = 0;
            for (int i = 0; i < 5; i++) {
                float logprob = entry.get(ValueLayout.JAVA_FLOAT, 8 + 8 * i);
                assertThat(logprob).isLessThanOrEqualTo(last);
                sum += Math.exp(logprob);
                last = logprob;
            }
            assertThat(sum).isCloseTo(1, within(0.05));
        }
    }

    @Test
    void theSameSeedPicksTheSameTokens() {
        SamplerSettings greedy = SamplerSettings.greedy();
        var settings = new SamplerSettings(1.5f, 0, 1, 40, 0.95f, 0.05f, 1, -1, 0, 0.1f, 64, 1.1f, 0.1f, 0.1f, 0.5f, 1.75f, 2, -1, 0, 5, 0.1f,
                -1, 0.9f, 42, 1, false, greedy.order(), MemorySegment.NULL, null);
        var runs = new ArrayList<List<Integer>>();
        for (int run = 0; run < 2; run++) {
            var picked = new ArrayList<Integer>();
            decoder.removeFrom(0, 0);
            int[] prompt = prompt("Tell me a story.");
            try (TokenSampler sampler = model.newSampler(settings, null, 1024)) {
                int row = feed(0, prompt, 0);
                for (int i = 0; i < 20; i++) {
                    int token = decoder.sample(sampler, row);
                    picked.add(token);
                    decoder.clearBatch();
                    row = decoder.add(token, prompt.length + i, 0, true);
                    decoder.decode();
                }
            }
            runs.add(picked);
        }

        assertThat(runs.get(0)).isEqualTo(runs.get(1));
    }

    @Test
    void anotherThreadIsRefusedInJavaAndTheContextLivesOn() {
        Throwable refused = CompletableFuture.supplyAsync(() -> catchThrowable(() -> {
            decoder.clearBatch();
            decoder.add(1, 0, 0, true);
            decoder.decode();
        })).join();

        assertThat(refused).isInstanceOf(WrongThreadException.class);
        assertThat(answer(0, prompt("What colour is the sky?"), 0)).isEqualTo("The sky is blue.");
    }

    @Test
    void useAfterCloseFailsInJavaAndASecondCloseDoesNothing() {
        decoder.close();
        decoder.close();

        decoder.clearBatch();
        assertThatThrownBy(() -> decoder.add(1, 0, 0, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> decoder.lastPosition(0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aStepAllocatesNothingOnTheHeap() {
        int[] prompt = prompt("Tell me a story.");
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, 1024)) {
            int row = feed(0, prompt, 0);
            int next = prompt.length;
            long before = 0;
            int warmUp = 300;
            int measured = 400;
            for (int i = 0; i < warmUp + measured; i++) {
                if (i == warmUp) {
                    before = threads.getCurrentThreadAllocatedBytes();
                }
                int token = decoder.sample(sampler, row);
                decoder.clearBatch();
                row = decoder.add(token, next++, 0, true);
                decoder.decode();
            }
            long perToken = (threads.getCurrentThreadAllocatedBytes() - before) / measured;

            // The loop is interpreted at first; what the compiler removes later is left out by the division.
            assertThat(perToken).isZero();
        }
    }
}
