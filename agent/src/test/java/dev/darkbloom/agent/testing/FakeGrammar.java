package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.Grammar;
import java.util.concurrent.atomic.AtomicBoolean;

/** A grammar that allows so many tokens and then none. */
public final class FakeGrammar implements Grammar {
    final int allowedTokens;
    private final FakeBehaviour behaviour;
    private final AtomicBoolean closed = new AtomicBoolean();

    public FakeGrammar(FakeBehaviour behaviour, int allowedTokens) {
        this.behaviour = behaviour;
        this.allowedTokens = allowedTokens;
        behaviour.openGrammars.incrementAndGet();
    }

    /** A sampler owns it now; it counts as closed, since the sampler is counted. */
    void take() {
        behaviour.check(!closed.get(), "a closed grammar was given to a sampler");
        close();
    }

    public boolean isClosed() {
        return closed.get();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            behaviour.openGrammars.decrementAndGet();
        }
    }
}
