package dev.darkbloom.agent.llama;

import java.util.function.DoublePredicate;

/** Loads models and says beforehand what they will need. {@link LlamaBackend} is the real one. */
public interface ModelOpener {
    /**
     * Returns what loading {@code spec} and opening its context would take, without allocating it (upstream's dry run).
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code MODEL_INVALID} when llama.cpp refuses the file
     */
    MemoryNeed need(ModelSpec spec);

    /**
     * Loads a model. Blocks; called on {@code model-loader}.
     *
     * @param progress is told shares from 0 to 1 and returns whether to go on
     * @throws dev.darkbloom.agent.base.AgentException {@code MODEL_INVALID}, {@code OUT_OF_MEMORY}, or {@code CANCELLED} when {@code
     *     progress} said stop
     */
    ModelRuntime open(ModelSpec spec, DoublePredicate progress);

    /**
     * Bytes of memory, all devices together.
     *
     * @param weightBytes tensors
     * @param contextBytes KV cache and recurrent state
     * @param computeBytes scratch buffers of the backends
     */
    record MemoryNeed(long weightBytes, long contextBytes, long computeBytes) {
        public long totalBytes() {
            return weightBytes + contextBytes + computeBytes;
        }
    }
}
