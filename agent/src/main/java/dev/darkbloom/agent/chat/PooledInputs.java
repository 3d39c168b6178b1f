package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.ModelLease;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Has a model pool many inputs, some beside each other, in memory for those few. Owned by the request; what the model made of an input is
 * overwritten by that of a later group.
 */
final class PooledInputs implements AutoCloseable {
    /** Inputs that are computed together: more than any model has slots, and few enough for their results to be small. */
    static final int GROUP = 64;

    private final ModelLease lease;
    private final ResponseSink sink;
    private final long resultBytes;
    private final Content results;

    /** Borrows both; {@code inputs} is how many there will be. */
    PooledInputs(ModelLease lease, ResponseSink sink, int inputs) {
        this.lease = lease;
        this.sink = sink;
        this.resultBytes = lease.facts().embeddingSize() * 4L;
        this.results = Content.allocate(resultBytes * Math.min(GROUP, inputs));
        results.appendZeros(resultBytes * Math.min(GROUP, inputs));
    }

    /**
     * Computes one group.
     *
     * @param group at most {@link #GROUP} inputs
     * @return {@code float32[embeddingSize]} of each, views until the next call
     * @throws AgentException {@code CANCELLED} when nobody waits for it any more, and what {@link ModelLease#embed} throws
     */
    List<MemorySegment> of(List<PromptTokens> group) throws InterruptedException {
        if (sink.isGone()) {
            throw new AgentException(ErrorCode.CANCELLED, "the other side is gone");
        }
        List<MemorySegment> targets = new ArrayList<>();
        for (int i = 0; i < group.size(); i++) {
            targets.add(results.segment().asSlice(i * resultBytes, resultBytes));
        }
        lease.embedAll(group.stream().map(PromptTokens::segment).toList(), targets);
        return targets;
    }

    @Override
    public void close() {
        results.close();
    }
}
