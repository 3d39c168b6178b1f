package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;

/** A {@code dbs_grammar} with one owner: the request, then the sampler that takes it. */
final class LlamaGrammar implements Grammar {
    private final AtomicReference<MemorySegment> handle;

    LlamaGrammar(MemorySegment handle) {
        this.handle = new AtomicReference<>(handle);
    }

    /** Returns the handle, which now belongs to the caller. */
    MemorySegment take() {
        MemorySegment taken = handle.getAndSet(null);
        if (taken == null) {
            throw new IllegalStateException("the grammar has been taken or closed");
        }
        return taken;
    }

    @Override
    public void close() {
        MemorySegment owned = handle.getAndSet(null);
        if (owned != null) {
            llama_h.dbs_grammar_free(owned);
        }
    }
}
