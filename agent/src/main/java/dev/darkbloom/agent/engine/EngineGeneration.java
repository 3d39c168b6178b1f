package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.llama.TokenSampler;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/**
 * A generation inside the engine. The request's thread sees {@link Generation}; counts and times belong to the engine's thread, which
 * shows them to readers once per step with {@link #show}.
 */
final class EngineGeneration extends Job implements Generation {
    private static final long NOT_YET = Long.MIN_VALUE;
    private static final VarHandle SHOWN;

    static {
        try {
            SHOWN = MethodHandles.lookup().findVarHandle(EngineGeneration.class, "shown", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final GenerationRequest request;
    /** Most tokens to produce, the context's room considered. */
    final int maxTokens;
    /** Engine's thread, once submitted; null when it has been taken. */
    private TokenSampler sampler;

    int cachedTokens;
    int prefilledTokens;
    int generatedTokens;
    long slotNanos = NOT_YET;
    long firstTokenNanos = NOT_YET;
    long lastTokenNanos = NOT_YET;
    long endNanos = NOT_YET;
    @SuppressWarnings("unused") // by VarHandle
    private int shown;

    /** Engine's thread: whether a token was produced that nobody was told about. */
    private boolean fresh;
    /** Request's thread: the prefill that the last {@link #await} told about. */
    private int seenPrefilled;

    /** Takes {@code sampler}, which knows its prompt. */
    EngineGeneration(GenerationRequest request, TokenSampler sampler, int maxTokens, Mailbox mailbox, long submittedNanos) {
        super(mailbox, submittedNanos, request.deadlineNanos());
        this.request = request;
        this.maxTokens = maxTokens;
        this.sampler = sampler;
    }

    /** Engine's thread: hands the sampler to whoever takes it. */
    TokenSampler takeSampler() {
        TokenSampler taken = sampler;
        sampler = null;
        return taken;
    }

    /** Engine's thread: makes the counts so far visible. */
    void show() {
        SHOWN.setRelease(this, shown + 1);
    }

    @Override
    boolean isNews() {
        return ending() != null || request.ring().size() > 0 || prefilled() != seenPrefilled;
    }

    private int prefilled() {
        int _ = (int) SHOWN.getAcquire(this);
        return prefilledTokens;
    }

    @Override
    public boolean await(long nanos) throws InterruptedException {
        awaitNews(nanos);
        seenPrefilled = prefilled();
        return ending() != null || request.ring().size() > 0;
    }

    @Override
    public void onNews(Runnable action) {
        listen(action);
    }

    @Override
    public void taken() {
        wakeLoop();
    }

    @Override
    public boolean isFinished() {
        return ending() != null;
    }

    @Override
    public Optional<Outcome> outcome() {
        return Optional.ofNullable(ending());
    }

    @Override
    public void cancel() {
        requestCancel();
    }

    /** Engine's thread: returns whether a token was produced since the last call. */
    boolean takeFresh() {
        boolean was = fresh;
        fresh = false;
        return was;
    }

    /** Engine's thread: notes that a token was produced. */
    void countToken(long nowNanos) {
        fresh = true;
        if (generatedTokens == 0) {
            firstTokenNanos = nowNanos;
        }
        lastTokenNanos = nowNanos;
        generatedTokens++;
    }

    @Override
    public Progress progress() {
        int _ = (int) SHOWN.getAcquire(this);
        return progressAt(ending() == null ? mailbox.nanoTime() : endNanos);
    }

    /** Engine's thread: returns the counts and times at the end, before it is published. */
    Progress finalProgress() {
        return progressAt(endNanos);
    }

    private Progress progressAt(long now) {
        long slot = slotNanos;
        long first = firstTokenNanos;
        long queued = (slot == NOT_YET ? now : slot) - submittedNanos;
        long prefill = slot == NOT_YET ? 0 : (first == NOT_YET ? now : first) - slot;
        long decode = first == NOT_YET ? 0 : lastTokenNanos - first;
        return new Progress(request.promptTokens(), cachedTokens, prefilledTokens, generatedTokens, queued, prefill, decode);
    }

    @Override
    public String toString() {
        return "Generation[" + request.id() + "]";
    }
}
