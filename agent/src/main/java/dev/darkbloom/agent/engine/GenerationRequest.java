package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.TokenRing;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.SamplerSettings;
import java.lang.foreign.MemorySegment;

/**
 * One answer to produce.
 *
 * @param id stands in logs
 * @param prompt {@code int32[promptTokens]} outside the heap, from a shared arena since the engine's thread reads it; borrowed until the
 *     generation is finished
 * @param promptTokens at least 1
 * @param maxTokens most tokens to produce, positive; clamped to the room that the context leaves
 * @param sampling how tokens are picked; its segments are from shared arenas, too, and borrowed until the generation is finished
 * @param grammar taken by {@code submit}, whatever it returns or throws; may be null
 * @param topLogprobs -1: no log-probabilities; otherwise how many alternatives each ring entry carries
 * @param deadlineNanos {@link System#nanoTime} after which the answer is given up; {@link Long#MAX_VALUE} for none
 * @param origin whose requests may make use of what its slot holds of it, and whose are made use of
 * @param reusesCache whether what slots hold of the prompt is made use of; otherwise all of it is computed
 * @param ring where tokens go; owned by the caller, who closes it after the generation is finished
 */
public record GenerationRequest(
        RequestId id,
        MemorySegment prompt,
        int promptTokens,
        int maxTokens,
        SamplerSettings sampling,
        Grammar grammar,
        int topLogprobs,
        long deadlineNanos,
        Origin origin,
        boolean reusesCache,
        TokenRing ring) {
    /** As the other, of a client of this machine, reusing what is there. */
    public GenerationRequest(RequestId id, MemorySegment prompt, int promptTokens, int maxTokens, SamplerSettings sampling, Grammar grammar,
            int topLogprobs, long deadlineNanos, TokenRing ring) {
        this(id, prompt, promptTokens, maxTokens, sampling, grammar, topLogprobs, deadlineNanos, Origin.LOCAL, true, ring);
    }

    public GenerationRequest {
        if (promptTokens < 1 || prompt.byteSize() < 4L * promptTokens) {
            throw new IllegalArgumentException("a prompt of " + promptTokens + " tokens in " + prompt.byteSize() + " bytes");
        }
        if (maxTokens < 1) {
            throw new IllegalArgumentException("maxTokens " + maxTokens);
        }
        if (topLogprobs > ring.topLogprobs()) {
            throw new IllegalArgumentException(topLogprobs + " log-probabilities in a ring for " + ring.topLogprobs());
        }
    }

    @Override
    public String toString() {
        return "GenerationRequest[id=" + id + ", promptTokens=" + promptTokens + ", maxTokens=" + maxTokens + "]";
    }
}
