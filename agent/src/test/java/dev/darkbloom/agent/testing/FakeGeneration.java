package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.GenerationRequest;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** Plays a script into the ring, some tokens at each {@link #await}; time passes only while it waits. One thread, but for cancel. */
public final class FakeGeneration implements Generation {
    private final GenerationRequest request;
    private final Script script;
    private final ManualClock clock;
    private volatile boolean cancelled;
    private int played;
    private int counted;
    private long waitedNanos;
    private Outcome outcome;
    private Runnable news;

    /**
     * What a generation does.
     *
     * @param tokens the answer; ends by itself at {@link FakeTokenizer#END}, otherwise with {@code end}
     * @param perAwait tokens put at each await
     * @param silentNanos time that passes before the first token
     * @param end how it ends behind the last token; null: never, until it is cancelled
     */
    public record Script(int[] tokens, int perAwait, long silentNanos, Outcome end) {
        public static Script of(String text) {
            return new Script(FakeTokenizer.answer(text), 1, 0, new Outcome.Finished(FinishReason.LENGTH));
        }

        public Script perAwait(int tokensPerAwait) {
            return new Script(tokens, tokensPerAwait, silentNanos, end);
        }

        public Script silentFor(long nanos) {
            return new Script(tokens, perAwait, nanos, end);
        }

        public Script endingWith(Outcome other) {
            return new Script(tokens, perAwait, silentNanos, other);
        }
    }

    FakeGeneration(GenerationRequest request, Script script, ManualClock clock) {
        this.request = request;
        this.script = script;
        this.clock = clock;
    }

    public GenerationRequest request() {
        return request;
    }

    public boolean isCancelled() {
        return cancelled;
    }

    @Override
    public boolean await(long nanos) throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        if (outcome == null && cancelled) {
            outcome = new Outcome.Finished(FinishReason.CANCELLED);
        }
        if (outcome == null && waitedNanos < script.silentNanos()) {
            long step = Math.min(nanos, script.silentNanos() - waitedNanos);
            waitedNanos += step;
            clock.advanceNanos(step);
            return false;
        }
        for (int i = 0; i < script.perAwait() && outcome == null && request.ring().hasRoom(); i++) {
            play();
        }
        clock.advanceNanos(1_000_000);
        return request.ring().size() > 0 || outcome != null;
    }

    /** Plays on at once, and each time something was taken. */
    @Override
    public void onNews(Runnable action) {
        news = action;
        taken();
    }

    @Override
    public void taken() {
        if (news != null) {
            goOn();
            if (isFinished() || request.ring().size() > 0) {
                news.run();
            }
        }
    }

    /** Does what an {@link #await} would do, for a thread that waits elsewhere. */
    public void goOn() {
        try {
            await(1_000_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void play() {
        if (played == script.tokens().length) {
            outcome = script.end();
            return;
        }
        int token = script.tokens()[played];
        if (token == FakeTokenizer.END) {
            outcome = new Outcome.Finished(FinishReason.STOP);
            return;
        }
        long entry = request.ring().nextEntry();
        if (request.topLogprobs() >= 0) {
            request.ring().memory().set(ValueLayout.JAVA_FLOAT, entry + 4, -0.5f);
            for (int i = 0; i < request.topLogprobs(); i++) {
                request.ring().memory().set(ValueLayout.JAVA_INT, entry + 8 + 8L * i, 'a' + i);
                request.ring().memory().set(ValueLayout.JAVA_FLOAT, entry + 12 + 8L * i, -1f - i);
            }
        }
        request.ring().put(token);
        played++;
        counted++;
        if (counted >= request.maxTokens()) {
            outcome = new Outcome.Finished(FinishReason.LENGTH);
        }
    }

    @Override
    public boolean isFinished() {
        return outcome != null;
    }

    @Override
    public Optional<Outcome> outcome() {
        return Optional.ofNullable(outcome);
    }

    @Override
    public void cancel() {
        cancelled = true;
    }

    @Override
    public Progress progress() {
        return new Progress(request.promptTokens(), 3, request.promptTokens(), counted, 0, 20_000_000, 50_000_000);
    }
}
