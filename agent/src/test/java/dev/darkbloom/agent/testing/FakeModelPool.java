package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelLoad;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.ModelRuntime.ModelFacts;
import dev.darkbloom.agent.llama.ModelRuntime.SamplingDefaults;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.RankFormat;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Models that answer by script: {@code demo}, {@code embed} for embeddings, {@code rank} for scores. Counts leases. */
public final class FakeModelPool implements ModelPool {
    public static final int CONTEXT = 4096;
    private static final int EMBEDDING = 4;

    private final ManualClock clock;
    private final List<String> ids;
    private final List<FakeGeneration> generations = new ArrayList<>();
    private final List<String> prompts = new ArrayList<>();
    private final FakeTokenizer tokenizer = new FakeTokenizer();
    private final FakeChatTemplate template = new FakeChatTemplate(tokenizer);
    private Function<GenerationRequest, FakeGeneration.Script> script = _ -> FakeGeneration.Script.of("Hello");
    private SamplingDefaults sampling = SamplingDefaults.NONE;
    private RankFormat rankFormat =
            new RankFormat(Optional.empty(), List.of((int) '^'), List.of((int) '|'), List.of((int) '$'));
    private int openLeases;
    private int acquired;
    private int room = Integer.MAX_VALUE;

    public FakeModelPool(ManualClock clock, String... ids) {
        this.clock = clock;
        this.ids = List.of(ids);
    }

    /** Has every further generation play {@code next}. */
    public void answers(FakeGeneration.Script next) {
        script = _ -> next;
    }

    /** Has every further generation ask {@code next} what to play. */
    public void answers(Function<GenerationRequest, FakeGeneration.Script> next) {
        script = next;
    }

    public void samplingDefaults(SamplingDefaults defaults) {
        sampling = defaults;
    }

    public void rankFormat(RankFormat format) {
        rankFormat = format;
    }

    /** Refuses what comes after {@code generationsAllowed} generations with {@code QUEUE_FULL}. */
    public void room(int generationsAllowed) {
        room = generationsAllowed;
    }

    public List<FakeGeneration> generations() {
        return generations;
    }

    /** Returns the prompts that were submitted, as text. */
    public List<String> prompts() {
        return prompts;
    }

    public FakeTokenizer tokenizer() {
        return tokenizer;
    }

    public FakeChatTemplate template() {
        return template;
    }

    /** Returns what has not been given back: leases, formats, parsers, grammars and generations that still run. */
    public int leftOpen() {
        return openLeases + template.open() + tokenizer.openGrammars() + (int) generations.stream().filter(g -> !g.isFinished()).count();
    }

    /** Returns how often a model was asked for. */
    public int acquired() {
        return acquired;
    }

    @Override
    public ModelLease acquire(String modelId) {
        acquired++;
        if (!ids.contains(modelId)) {
            throw new AgentException(ErrorCode.UNKNOWN_MODEL, "no such model");
        }
        openLeases++;
        return new Lease(modelId);
    }

    @Override
    public List<ModelStatus> models() {
        return ids.stream().map(id -> new ModelStatus(id, ModelState.READY, 1, Optional.empty(), 8, 0, 0, 64, CONTEXT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ModelLoad.NONE)).toList();
    }

    private static String spelled(MemorySegment tokens) {
        try (Content text = Content.confined(tokens.byteSize())) {
            for (long at = 0; at < tokens.byteSize(); at += 4) {
                text.append((byte) tokens.get(ValueLayout.JAVA_INT_UNALIGNED, at));
            }
            return OffHeap.text(text);
        }
    }

    private final class Lease implements ModelLease {
        private final String id;

        private Lease(String id) {
            this.id = id;
        }

        private boolean isPooled() {
            return id.equals("embed") || id.equals("rank");
        }

        @Override
        public ModelSpec spec() {
            return new ModelSpec(id, List.of(Path.of("model.gguf")), CONTEXT, 8, KvLayout.STREAMS, 8L * CONTEXT, 0, isPooled(), "",
                    ComputeSettings.safe(2, 512, 512));
        }

        @Override
        public ModelFacts facts() {
            Optional<RankFormat> rank = id.equals("rank") ? Optional.of(rankFormat) : Optional.empty();
            return new ModelFacts("fake", "F32", 1, 4, CONTEXT, EMBEDDING, tokenizer.vocabularySize(), MemoryKind.ATTENTION, isPooled(), rank, sampling);
        }

        @Override
        public Tokenizer tokenizer() {
            return tokenizer;
        }

        @Override
        public ChatTemplate chatTemplate() {
            return template;
        }

        @Override
        public int contextTokens() {
            return CONTEXT;
        }

        @Override
        public Generation submit(GenerationRequest request) {
            if (request.grammar() != null) {
                request.grammar().close();
            }
            if (generations.size() >= room) {
                throw new AgentException(ErrorCode.QUEUE_FULL, "the queue is full");
            }
            if (request.promptTokens() >= CONTEXT) {
                throw new AgentException(ErrorCode.CONTEXT_TOO_LONG, "prompt is " + request.promptTokens() + " tokens; this model's context holds " + CONTEXT);
            }
            prompts.add(spelled(request.prompt().asSlice(0, request.promptTokens() * 4L)));
            var generation = new FakeGeneration(request, script.apply(request), clock);
            generations.add(generation);
            return generation;
        }

        @Override
        public void embed(MemorySegment tokens, MemorySegment target) {
            if (id.equals("rank")) { // the longer the better, and from a length on positive
                prompts.add(spelled(tokens));
                target.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 0, (float) Math.cbrt(tokens.byteSize() - 40));
                return;
            }
            for (int i = 0; i < EMBEDDING; i++) {
                target.set(ValueLayout.JAVA_FLOAT_UNALIGNED, i * 4L, i == 0 ? 3f : i == 1 ? tokens.byteSize() : 0f);
            }
        }

        @Override
        public void close() {
            openLeases--;
        }
    }
}
