package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.llama_h;
import dev.darkbloom.agent.bindings.llama_model_params;
import dev.darkbloom.agent.bindings.llama_progress_callback;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.DoublePredicate;

/**
 * Weights and vocabulary, in a shared arena: several threads read them. Owned by whoever loaded it; closed after every context, since
 * live buffers at the end of the process abort it on Metal.
 */
final class LlamaModel implements ModelRuntime {
    private final Arena arena; // the weights
    private final Arena inner = Arena.ofShared(); // what borrows the weights, closed first
    private final ModelSpec spec;
    private final MemorySegment handle;
    private final ModelFacts facts;
    private final LlamaVocab vocab;
    private final LlamaChatTemplate template;

    private LlamaModel(Arena arena, ModelSpec spec, MemorySegment handle) {
        this.arena = arena;
        this.spec = spec;
        this.handle = handle;
        try {
            this.vocab = new LlamaVocab(llama_h.llama_model_get_vocab(handle), inner);
            this.facts = readFacts(handle, vocab);
            this.template = LlamaChatTemplate.open(handle, vocab, spec.chatTemplate(), inner);
        } catch (Throwable t) {
            inner.close();
            throw t;
        }
    }

    static LlamaModel load(ModelSpec spec, DoublePredicate progress) {
        var arena = Arena.ofShared();
        try (var scratch = Arena.ofShared()) { // shared: the callback may come from a thread of the loader's own
            var watcher = new ProgressWatcher(progress);
            MemorySegment params = toNative(spec, scratch);
            llama_model_params.progress_callback(params, llama_progress_callback.allocate(watcher, scratch));
            MemorySegment paths = paths(spec, scratch);
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            int status = llama_h.dbs_model_load(paths, spec.files().size(), params, out);
            if (status != llama_h.DBS_OK()) {
                if (watcher.stopped) {
                    throw new AgentException(ErrorCode.CANCELLED, "loading " + spec.id() + " was stopped");
                }
                throw Shim.exception(status, "loading " + spec.id(), ErrorCode.MODEL_INVALID);
            }
            return new LlamaModel(arena, spec, out.get(ValueLayout.ADDRESS, 0).reinterpret(arena, llama_h::llama_model_free));
        } catch (Throwable t) {
            arena.close();
            throw t;
        }
    }

    /** Returns the {@code llama_model_params} of {@code spec}, without a progress callback. */
    static MemorySegment toNative(ModelSpec spec, Arena arena) {
        MemorySegment params = llama_h.llama_model_default_params(arena);
        llama_model_params.n_gpu_layers(params, spec.gpuLayers());
        return params;
    }

    static MemorySegment paths(ModelSpec spec, Arena arena) {
        MemorySegment paths = arena.allocate(ValueLayout.ADDRESS, spec.files().size());
        for (int i = 0; i < spec.files().size(); i++) {
            paths.setAtIndex(ValueLayout.ADDRESS, i, arena.allocateFrom(spec.files().get(i).toString()));
        }
        return paths;
    }

    /** Passes progress on and keeps exceptions inside: one that left an upcall would end the process. */
    private static final class ProgressWatcher implements llama_progress_callback.Function {
        private final DoublePredicate progress;
        private volatile boolean stopped;

        ProgressWatcher(DoublePredicate progress) {
            this.progress = progress;
        }

        @Override
        public boolean apply(float share, MemorySegment userData) {
            try {
                if (!progress.test(share)) {
                    stopped = true;
                }
            } catch (Throwable t) {
                stopped = true;
            }
            return !stopped;
        }
    }

    private static ModelFacts readFacts(MemorySegment model, LlamaVocab vocab) {
        String architecture = meta(model, "general.architecture");
        String pooling = meta(model, architecture + ".pooling_type");
        boolean pooled = !pooling.isEmpty() && !pooling.equals(Integer.toString(llama_h.LLAMA_POOLING_TYPE_NONE()));
        boolean ranks = pooling.equals(Integer.toString(llama_h.LLAMA_POOLING_TYPE_RANK()));
        return new ModelFacts(
                architecture,
                llama_h.llama_ftype_name(llama_h.llama_model_ftype(model)).getString(0),
                llama_h.llama_model_n_params(model),
                llama_h.llama_model_size(model),
                llama_h.llama_model_n_ctx_train(model),
                ranks ? llama_h.llama_model_n_cls_out(model) : llama_h.llama_model_n_embd_out(model),
                vocab.vocabularySize(),
                memoryKind(model),
                pooled,
                ranks ? Optional.of(RankFormat.of(model, vocab.handle())) : Optional.empty(),
                samplingDefaults(model));
    }

    private static MemoryKind memoryKind(MemorySegment model) {
        if (llama_h.llama_model_is_recurrent(model)) {
            return MemoryKind.RECURRENT;
        }
        if (llama_h.llama_model_is_hybrid(model)) {
            return MemoryKind.HYBRID;
        }
        return llama_h.llama_model_n_swa(model) > 0 ? MemoryKind.SLIDING_WINDOW : MemoryKind.ATTENTION;
    }

    private static SamplingDefaults samplingDefaults(MemorySegment model) {
        float topK = metaFloat(model, "general.sampling.top_k");
        return new SamplingDefaults(
                metaFloat(model, "general.sampling.temp"),
                Float.isNaN(topK) ? OptionalInt.empty() : OptionalInt.of((int) topK),
                metaFloat(model, "general.sampling.top_p"),
                metaFloat(model, "general.sampling.min_p"),
                metaFloat(model, "general.sampling.penalty_repeat"));
    }

    private static float metaFloat(MemorySegment model, String key) {
        String text = meta(model, key);
        try {
            return text.isEmpty() ? Float.NaN : Float.parseFloat(text);
        } catch (NumberFormatException e) {
            return Float.NaN; // an author's default that is no number is no default
        }
    }

    /** Returns a scalar of the file's metadata as text, or an empty string. */
    private static String meta(MemorySegment model, String key) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment buffer = scratch.allocate(256);
            int length = llama_h.llama_model_meta_val_str(model, scratch.allocateFrom(key), buffer, buffer.byteSize());
            return length < 0 || length >= buffer.byteSize() ? "" : buffer.getString(0);
        }
    }

    MemorySegment handle() {
        return handle;
    }

    @Override
    public ModelSpec spec() {
        return spec;
    }

    @Override
    public Tokenizer tokenizer() {
        return vocab;
    }

    @Override
    public ChatTemplate chatTemplate() {
        return template;
    }

    @Override
    public ModelFacts facts() {
        return facts;
    }

    @Override
    public TokenSampler newSampler(SamplerSettings settings, Grammar grammar, int contextTokens) {
        return LlamaSampler.open(handle, settings, grammar, contextTokens);
    }

    @Override
    public TokenDecoder openCold(ModelSpec room) {
        return LlamaContext.open(this, room);
    }

    @Override
    public TokenDecoder openDecoder(ModelSpec room) {
        TokenDecoder context = openCold(room);
        try {
            WarmUp.run(this, context, room.embedding());
            return context;
        } catch (Throwable t) {
            context.close();
            throw t;
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            inner.close();
            arena.close();
        }
    }
}
