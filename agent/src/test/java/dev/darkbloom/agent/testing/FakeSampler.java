package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.TokenSampler;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Remembers the prompt it was told and what its grammar still allows. */
final class FakeSampler implements TokenSampler {
    private final FakeBehaviour behaviour;
    int allowedTokens;
    int promptTokens;
    long promptHash;
    /** Whether the sequence has been compared with the prompt. */
    boolean compared;
    private boolean closed;

    FakeSampler(FakeBehaviour behaviour, FakeGrammar grammar) {
        this.behaviour = behaviour;
        allowedTokens = grammar == null ? Integer.MAX_VALUE : grammar.allowedTokens;
        behaviour.openSamplers.incrementAndGet();
    }

    @Override
    public void acceptPrompt(MemorySegment tokens) {
        behaviour.check(promptTokens == 0, "a sampler was told its prompt twice");
        promptTokens = Math.toIntExact(tokens.byteSize() / 4);
        long hash = FakeModel.SEED;
        for (int i = 0; i < promptTokens; i++) {
            hash = FakeModel.mix(hash, tokens.getAtIndex(ValueLayout.JAVA_INT, i));
        }
        promptHash = hash;
    }

    boolean isClosed() {
        return closed;
    }

    @Override
    public void close() {
        behaviour.check(!closed, "a sampler was closed twice");
        closed = true;
        behaviour.openSamplers.decrementAndGet();
    }
}
