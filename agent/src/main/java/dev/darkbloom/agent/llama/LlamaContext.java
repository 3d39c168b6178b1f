package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.llama_context_params;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;

/**
 * The KV cache of one loaded model and the buffers that fill it.
 *
 * <p>Owned by the thread that opened it: the handle lives in a confined arena, so a call from another thread or after {@link #close} fails
 * in Java and never reaches native code. Close it before its model. Its segments are kept for its whole life, because a step allocates
 * nothing: a view per token was 81 bytes per token (two-core x86 machine, 2026).
 */
@Confined("engine-<model>")
final class LlamaContext implements TokenDecoder {
    private static final int MAX_LOGPROBS = 20; // what a TokenRing's entry holds

    private final Arena arena;
    private final LlamaModel model;
    private final MemorySegment handle;
    private final MemorySegment memory; // NULL on encoders, which keep nothing
    private final LlamaBatch batch;
    private final MemorySegment result; // int32: a return code or a token
    private final MemorySegment ownLogprob; // float32
    private final MemorySegment topIds; // int32[MAX_LOGPROBS]
    private final MemorySegment topLogprobs; // float32[MAX_LOGPROBS]
    private final ModelRuntime.MemoryKind memoryKind;
    private final int contextTokensPerSequence;
    private final int sequences;
    private final int batchTokens;
    private final int ubatchTokens;

    private int threads;
    private ComputePool pool;
    private final ArrayDeque<ComputePool> replaced = new ArrayDeque<>(); // the backend lets go of them when it computes with another one

    private LlamaContext(Arena arena, LlamaModel model, ModelSpec spec, MemorySegment handle, ComputePool pool) {
        this.arena = arena;
        this.pool = pool;
        this.model = model;
        this.handle = handle;
        // Bound to the arena like every pointer that upstream hands out: a raw one would still be usable after the end.
        MemorySegment raw = llama_h.llama_get_memory(handle);
        this.memory = raw.address() == 0 ? raw : raw.reinterpret(0, arena, null);
        this.memoryKind = memory.address() == 0 ? ModelRuntime.MemoryKind.NONE : model.facts().memoryKind();
        // Read back: the request may have been adjusted (llama.h). With one buffer for all, n_ctx_seq is the whole context.
        this.contextTokensPerSequence = Math.min(spec.contextTokensPerSequence(), llama_h.llama_n_ctx_seq(handle));
        this.sequences = llama_h.llama_n_seq_max(handle);
        this.batchTokens = llama_h.llama_n_batch(handle);
        this.ubatchTokens = llama_h.llama_n_ubatch(handle);
        this.threads = llama_h.llama_n_threads(handle);
        this.batch = new LlamaBatch(batchTokens, maxOutputs(spec), sequences, model.facts().vocabularySize(), arena);
        this.result = arena.allocate(ValueLayout.JAVA_INT);
        this.ownLogprob = arena.allocate(ValueLayout.JAVA_FLOAT);
        this.topIds = arena.allocate(ValueLayout.JAVA_INT, MAX_LOGPROBS);
        this.topLogprobs = arena.allocate(ValueLayout.JAVA_FLOAT, MAX_LOGPROBS);
    }

    /** Opens a context that borrows {@code model}; throws {@code OUT_OF_MEMORY} if the backend refuses. */
    static LlamaContext open(LlamaModel model, ModelSpec spec) {
        var arena = Arena.ofConfined();
        ComputePool pool = null;
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            int status = llama_h.dbs_context_new(model.handle(), toNative(spec, scratch), out);
            if (status != llama_h.DBS_OK()) {
                throw new AgentException(ErrorCode.OUT_OF_MEMORY, "no context of " + spec.kvTokens() + " tokens for "
                        + spec.id() + ": llama.cpp refused it; its reason is in the log at debug level");
            }
            MemorySegment handle = out.get(ValueLayout.ADDRESS, 0).reinterpret(arena, llama_h::llama_free);
            pool = ComputePool.attach(handle, spec.compute().threads(), spec.compute().poll());
            return new LlamaContext(arena, model, spec, handle, pool);
        } catch (Throwable t) {
            arena.close();
            if (pool != null) {
                pool.close();
            }
            throw t;
        }
    }

    /** Returns the {@code llama_context_params} of {@code spec}; also what the dry run is asked with. */
    static MemorySegment toNative(ModelSpec spec, Arena arena) {
        MemorySegment params = llama_h.llama_context_default_params(arena);
        ComputeSettings compute = spec.compute();
        if (spec.kvTokens() > Integer.MAX_VALUE) {
            throw new AgentException(ErrorCode.OUT_OF_MEMORY, spec.slots() + " slots of " + spec.contextTokensPerSequence()
                    + " tokens are more than llama.cpp can count; it takes " + Integer.MAX_VALUE + " in all");
        }
        llama_context_params.n_ctx(params, (int) spec.kvTokens());
        llama_context_params.n_batch(params, compute.batchTokens());
        llama_context_params.n_ubatch(params, compute.ubatchTokens());
        llama_context_params.n_seq_max(params, spec.slots());
        llama_context_params.n_outputs_max(params, spec.embedding() ? 0 : maxOutputs(spec));
        llama_context_params.n_threads(params, compute.threads());
        llama_context_params.n_threads_batch(params, compute.threads());
        llama_context_params.kv_unified(params, spec.kvLayout() == KvLayout.UNIFIED);
        llama_context_params.swa_full(params, false);
        llama_context_params.embeddings(params, spec.embedding());
        llama_context_params.no_perf(params, true);
        llama_context_params.flash_attn_type(params, switch (compute.flashAttention()) {
            case AUTO -> llama_h.LLAMA_FLASH_ATTN_TYPE_AUTO();
            case OFF -> llama_h.LLAMA_FLASH_ATTN_TYPE_DISABLED();
            case ON -> llama_h.LLAMA_FLASH_ATTN_TYPE_ENABLED();
        });
        return params;
    }

    /** One output per slot and step for text; every token of an input for embeddings. */
    private static int maxOutputs(ModelSpec spec) {
        int batchTokens = spec.compute().batchTokens();
        return spec.embedding() ? batchTokens : Math.min(spec.slots(), batchTokens);
    }

    @Override
    public int contextTokensPerSequence() {
        return contextTokensPerSequence;
    }

    @Override
    public int sequences() {
        return sequences;
    }

    @Override
    public int batchTokens() {
        return batchTokens;
    }

    @Override
    public int ubatchTokens() {
        return ubatchTokens;
    }

    @Override
    public ModelRuntime.MemoryKind memoryKind() {
        return memoryKind;
    }

    @Override
    public int threads() {
        return threads;
    }

    @Override
    public void computeWith(int count) {
        if (count < 1 || count > threads) {
            throw new IllegalStateException(count + " of " + threads + " threads");
        }
        llama_h.llama_set_n_threads(handle, count, count);
    }

    @Override
    public void replaceThreads(int count, int poll) {
        ComputePool next = ComputePool.attach(handle, count, poll);
        replaced.add(pool);
        pool = next;
        threads = count;
        computeWith(count);
    }

    private void closeReplaced() {
        while (!replaced.isEmpty()) {
            replaced.remove().close();
        }
    }

    @Override
    public long cpuNanos() {
        return llama_h.dbs_thread_cpu_nanos();
    }

    @Override
    public void clearBatch() {
        batch.clear();
    }

    @Override
    public int batchSize() {
        return batch.size();
    }

    @Override
    public int add(int token, int position, int sequence, boolean wantLogits) {
        if (position >= contextTokensPerSequence) {
            throw new IllegalStateException("position " + position + " in a context of " + contextTokensPerSequence + " tokens");
        }
        return batch.add(token, position, sequence, wantLogits);
    }

    @Override
    public int decode() {
        if (batch.size() == 0) {
            throw new IllegalStateException("the batch is empty");
        }
        int status = llama_h.dbs_decode(handle, batch.toNative(), result);
        int code = status == llama_h.DBS_OK() ? result.get(ValueLayout.JAVA_INT, 0) : status;
        if (code == DECODED) {
            closeReplaced();
        }
        return code;
    }

    @Override
    public int sample(TokenSampler sampler, int row) {
        batch.checkOutput(row);
        int status = llama_h.dbs_sampler_sample(((LlamaSampler) sampler).handle(), handle, row, result);
        if (status == llama_h.DBS_OK()) {
            return result.get(ValueLayout.JAVA_INT, 0);
        }
        if (status == llama_h.DBS_BAD_GRAMMAR()) {
            return -1;
        }
        throw Shim.exception(status, "sampling", ErrorCode.GENERATION_FAILED);
    }

    @Override
    public void logprobs(int row, int token, int top, MemorySegment target, long offset) {
        batch.checkOutput(row);
        if (top > MAX_LOGPROBS) {
            throw new IllegalArgumentException(top + " log-probabilities; at most " + MAX_LOGPROBS + " are kept");
        }
        Shim.check(llama_h.dbs_logprobs(handle, row, token, top, ownLogprob, topIds, topLogprobs), "log-probabilities", ErrorCode.INTERNAL);
        target.set(ValueLayout.JAVA_FLOAT, offset, ownLogprob.get(ValueLayout.JAVA_FLOAT, 0));
        for (int i = 0; i < top; i++) {
            long at = offset + Float.BYTES + 8L * i;
            target.set(ValueLayout.JAVA_INT, at, topIds.getAtIndex(ValueLayout.JAVA_INT, i));
            target.set(ValueLayout.JAVA_FLOAT, at + Integer.BYTES, topLogprobs.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
    }

    @Override
    public boolean removeFrom(int sequence, int position) {
        checkSequence(sequence);
        return memory.address() == 0 || llama_h.llama_memory_seq_rm(memory, sequence, position, -1);
    }

    @Override
    public void copySequence(int source, int target) {
        checkSequence(source);
        checkSequence(target);
        llama_h.llama_memory_seq_cp(memory, source, target, -1, -1);
    }

    @Override
    public int firstPosition(int sequence) {
        checkSequence(sequence);
        return memory.address() == 0 ? -1 : llama_h.llama_memory_seq_pos_min(memory, sequence);
    }

    @Override
    public int lastPosition(int sequence) {
        checkSequence(sequence);
        return memory.address() == 0 ? -1 : llama_h.llama_memory_seq_pos_max(memory, sequence);
    }

    private void checkSequence(int sequence) {
        if (sequence < 0 || sequence >= sequences) {
            throw new IllegalStateException("sequence " + sequence + " of " + sequences);
        }
    }

    @Override
    public void copyEmbedding(int sequence, MemorySegment target) {
        checkSequence(sequence);
        MemorySegment pooled = llama_h.llama_get_embeddings_seq(handle, sequence);
        if (pooled.address() == 0) {
            throw new AgentException(ErrorCode.EMBEDDINGS_NOT_CONFIGURED, "model " + model.spec().id() + " pools no embeddings");
        }
        long bytes = (long) model.facts().embeddingSize() * Float.BYTES;
        MemorySegment.copy(pooled.reinterpret(bytes), 0, target, 0, bytes);
    }

    /** Frees the context. The token ids of the last batch are overwritten first. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            batch.zero();
            topIds.fill((byte) 0);
            arena.close();
            closeReplaced();
            pool.close();
        }
    }
}
