package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The CPU threads of one context, which last as long as it does; without them the backend starts new ones for every call. Closed after its
 * context. Holds nothing where no CPU backend offers such pools.
 */
@Confined("engine-<model>")
final class ComputePool implements AutoCloseable {
    private final MemorySegment handle;

    private ComputePool(MemorySegment handle) {
        this.handle = handle;
    }

    /** Starts threads and gives them to {@code context}; those that it had before stay in its use until it has computed again. */
    static ComputePool attach(MemorySegment context, int threads, int poll) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            Shim.check(llama_h.dbs_pool_attach(context, threads, poll, out), "starting compute threads", ErrorCode.OUT_OF_MEMORY);
            return new ComputePool(out.get(ValueLayout.ADDRESS, 0));
        }
    }

    @Override
    public void close() {
        llama_h.dbs_pool_free(handle);
    }
}
