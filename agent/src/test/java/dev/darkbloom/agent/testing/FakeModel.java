package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.llama.TokenSampler;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A model without weights. Its next token is a hash of every token before it, so an answer is right only if the sequence in memory held
 * exactly the tokens it should have; {@link #answer} says what is right.
 */
public final class FakeModel implements ModelRuntime {
    public static final int EMBEDDING_SIZE = 8;
    static final long SEED = 0x9E3779B97F4A7C15L;

    private final ModelSpec spec;
    private final FakeBehaviour behaviour;
    private final Arena arena = Arena.ofShared();
    private final FakeVocabulary vocabulary;
    private final AtomicBoolean closed = new AtomicBoolean();

    public FakeModel(ModelSpec spec, FakeBehaviour behaviour) {
        this.spec = spec;
        this.behaviour = behaviour;
        vocabulary = new FakeVocabulary(behaviour, arena);
        behaviour.openModels.incrementAndGet();
    }

    /** Returns the tokens that follow a prompt, without the end-of-generation token, as a model with this behaviour writes them. */
    public static int[] answer(FakeBehaviour behaviour, int[] prompt, int maxTokens) {
        int[] answer = new int[maxTokens];
        long hash = SEED;
        for (int token : prompt) {
            hash = mix(hash, token);
        }
        for (int i = 0; i < maxTokens; i++) {
            int token = pick(hash, behaviour.endOneIn);
            if (token == FakeVocabulary.END) {
                return Arrays.copyOf(answer, i);
            }
            answer[i] = token;
            hash = mix(hash, token);
        }
        return answer;
    }

    /** Returns the embedding of an input. */
    public static float[] embedding(int[] tokens) {
        long hash = SEED;
        for (int token : tokens) {
            hash = mix(hash, token);
        }
        float[] values = new float[EMBEDDING_SIZE];
        for (int i = 0; i < EMBEDDING_SIZE; i++) {
            values[i] = embeddingValue(hash, i);
        }
        return values;
    }

    static float embeddingValue(long hash, int i) {
        return (mix(hash, i) >>> 40) / (float) (1 << 24);
    }

    static long mix(long hash, int token) {
        long h = (hash ^ token) * 0xBF58476D1CE4E5B9L;
        h ^= h >>> 29;
        h *= 0x94D049BB133111EBL;
        return h ^ h >>> 32;
    }

    /** Returns a letter or, now and then, the end. */
    static int pick(long hash, int endOneIn) {
        if (endOneIn > 0 && (hash >>> 40) % endOneIn == 0) {
            return FakeVocabulary.END;
        }
        int letter = (int) ((hash >>> 8 & 0xffff) % 27);
        return FakeVocabulary.FIRST_BYTE + (letter == 26 ? ' ' : 'a' + letter);
    }

    @Override
    public ModelSpec spec() {
        return spec;
    }

    @Override
    public Tokenizer tokenizer() {
        behaviour.check(!closed.get(), "a closed model's tokenizer was asked for");
        return vocabulary;
    }

    @Override
    public ChatTemplate chatTemplate() {
        throw new UnsupportedOperationException("the fake model has no chat template");
    }

    @Override
    public ModelFacts facts() {
        return new ModelFacts("fake", "F0", 1, 1, behaviour.trainedContextTokens, EMBEDDING_SIZE, FakeVocabulary.SIZE, behaviour.memoryKind,
                spec.embedding(), Optional.empty(), SamplingDefaults.NONE);
    }

    @Override
    public TokenSampler newSampler(SamplerSettings settings, Grammar grammar, int contextTokens) {
        behaviour.check(!closed.get(), "a sampler was made for a closed model");
        if (grammar != null) {
            ((FakeGrammar) grammar).take();
        }
        switch (behaviour.samplerFailure) {
            case null -> { }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable t -> throw new IllegalArgumentException(t);
        }
        return new FakeSampler(behaviour, (FakeGrammar) grammar);
    }

    @Override
    public TokenDecoder openDecoder(ModelSpec room) {
        TokenDecoder decoder = openCold(room);
        behaviour.decodersWarmed.incrementAndGet(); // the real one computes once here
        return decoder;
    }

    @Override
    public TokenDecoder openCold(ModelSpec room) {
        behaviour.check(!closed.get(), "a context was opened on a closed model");
        RuntimeException failure = behaviour.decoderFailure;
        if (failure != null) {
            throw failure;
        }
        return new FakeDecoder(room, behaviour);
    }

    @Override
    public void close() {
        behaviour.check(closed.compareAndSet(false, true), "a model was closed twice");
        behaviour.check(behaviour.openDecoders.get() == 0 || behaviour.openModels.get() > 1, "a model was closed before its context");
        behaviour.check(behaviour.openSamplers.get() == 0 || behaviour.openModels.get() > 1, "a model was closed before its samplers");
        behaviour.openModels.decrementAndGet();
        arena.close();
    }
}
