package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.Generation.Progress;
import dev.darkbloom.agent.engine.NanoClock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The choices of one request, carried from the engine to a shape and a sink until all have ended.
 *
 * <p>Belongs to the request's thread, but for {@link #cancel} and while an {@link AnswerPump} carries it. {@link #close} returns only when the engine has let go of the request's
 * memory.
 */
final class Answer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Answer.class);

    /** Longest wait for one of several choices, so that the others' tokens do not lie about; their steps come together anyhow. */
    private static final long SHARED_WAIT_NANOS = 5_000_000;
    private static final long LONGEST_WAIT_NANOS = 1_000_000_000;

    private final ResponseSink sink;
    private final AnswerShape shape;
    private final NanoClock nanoClock;
    private final long pingNanos;
    private final boolean requiresToolCall;
    private final int stopStrings;
    private final List<Choice> choices = new ArrayList<>();
    private final Closer closer = new Closer();
    private boolean begun;
    private volatile long lastSent;

    /**
     * Borrows everything.
     *
     * @param pingNanos as in {@link AnswerSettings}
     * @param requiresToolCall whether a choice that the model ends without a tool call has failed
     * @param stopStrings how many stop strings the request has: what one of them ends has not failed
     */
    Answer(ResponseSink sink, AnswerShape shape, NanoClock nanoClock, long pingNanos, boolean requiresToolCall, int stopStrings) {
        this.sink = sink;
        this.shape = shape;
        this.nanoClock = nanoClock;
        this.pingNanos = pingNanos;
        this.requiresToolCall = requiresToolCall;
        this.stopStrings = stopStrings;
    }

    /** Takes a choice, before it is submitted. */
    Choice add(Choice choice) {
        choices.add(closer.add(choice));
        return choice;
    }

    List<Choice> choices() {
        return choices;
    }

    /** Asks the engine to stop every choice; all of them have been submitted. Any thread. */
    void cancel() {
        for (Choice choice : choices) {
            choice.generation().cancel();
        }
    }

    /**
     * Carries the answer to its end. A failure before the first byte is thrown; after it, it is told in the stream and this returns.
     *
     * @throws AgentException the generation's failure, or {@code CANCELLED} when the other side is gone or the thread was interrupted
     */
    void run() throws InterruptedException {
        sink.onGone(this::cancel);
        shape.submitted();
        lastSent = nanoClock.nanoTime();
        Optional<Executor> loop = sink.loop().filter(_ -> sink.eventGapNanos() == 0);
        if (loop.isPresent()) {
            new AnswerPump(this, loop.get(), nanoClock).run();
            return;
        }
        while (!advance()) {
            await();
        }
    }

    /** Has {@code action} run by the engine's thread when there is something to {@link #advance} with, and by the sink when it has room. */
    void onNews(Runnable action) {
        sink.onRoom(action);
        for (Choice choice : choices) {
            choice.generation().onNews(action);
        }
    }

    /**
     * Hands on what there is, as long as the sink takes it; returns whether the answer is complete. Never waits for the engine.
     *
     * @throws AgentException as {@link #run}
     */
    boolean advance() {
        try {
            if (!shape.isStream()) {
                begin();
            }
            while (!isFinished()) {
                if (sink.isGone()) {
                    throw new AgentException(ErrorCode.CANCELLED, "the other side is gone");
                }
                if (!sink.hasRoom() || !pass()) {
                    return false;
                }
            }
            Usage total = usage();
            sink.used(total);
            shape.end(total);
        } catch (AgentException e) {
            fail(e, e);
        } catch (RuntimeException | Error e) {
            fail(new AgentException(ErrorCode.GENERATION_FAILED, "generation failed: " + e.getClass().getSimpleName(), e), e);
        }
        return true;
    }

    /** Says to the engine that tokens were taken out of the rings. */
    void taken() {
        for (int i = 0; i < choices.size(); i++) {
            if (!choices.get(i).isFinished()) {
                choices.get(i).generation().taken();
                return; // one loop serves them all
            }
        }
    }

    /** Returns the time at which silence will have lasted too long; {@link Long#MAX_VALUE} for never. Any thread. */
    long pingAtNanos() {
        return shape.isStream() && pingNanos != Long.MAX_VALUE ? lastSent + pingNanos : Long.MAX_VALUE;
    }

    /** Sends a sign of life if it is time. */
    void pingIfSilent() {
        long at = pingAtNanos();
        if (at != Long.MAX_VALUE && nanoClock.nanoTime() - at >= 0 && sink.hasRoom()) {
            begin();
            if (!shape.ping()) {
                sink.ping();
            }
            lastSent = nanoClock.nanoTime();
        }
    }

    /** Tells of a failure where it can still be told: in the stream if that has begun, otherwise by throwing. */
    private void fail(AgentException told, Throwable cause) {
        if (!begun || !shape.isStream() || sink.takesFailures() || told.code() == ErrorCode.CANCELLED) {
            throw told;
        }
        if (told.code().kind() == ErrorCode.Kind.INTERNAL) {
            log.error("generation failed after the stream had begun code={} cause={}", told.code(), cause.getClass().getSimpleName());
        } else {
            log.debug("generation failed after the stream had begun code={}", told.code());
        }
        shape.fail(told);
    }

    /** Hands on what every unfinished choice has; returns whether there was anything. */
    private boolean pass() {
        boolean any = false;
        for (int i = 0; i < choices.size(); i++) { // by index here and below: this runs for every token, an iterator is an object
            Choice choice = choices.get(i);
            if (choice.isFinished() || !choice.hasTokens() && !choice.generation().isFinished()) {
                continue;
            }
            if (!begun && choice.generation().outcome().orElse(null) instanceof Generation.Outcome.Failed(AgentException error)) {
                throw error; // before the stream begins, so that it has an HTTP status of its own
            }
            begin();
            pace(choice);
            if (choice.drain()) {
                any = true;
                lastSent = nanoClock.nanoTime();
                sink.progressed();
            }
            if (choice.isFinished()) {
                boolean stopped = choice.foundStop() >= 0 && choice.foundStop() < stopStrings;
                if (requiresToolCall && !stopped && choice.finishReason() == FinishReason.STOP) {
                    throw new AgentException(ErrorCode.GENERATION_FAILED, "the model did not make the required tool call");
                }
                shape.finished(choice, isFinished() ? Optional.of(usage()) : Optional.empty());
            }
        }
        return any;
    }

    private void begin() {
        if (!begun) {
            begun = true;
            if (shape.isStream()) {
                sink.beginStream();
            }
            shape.begin(choices);
        }
    }

    /** Waits until the sink wants the next event, unless the answer has ended meanwhile. */
    private void pace(Choice choice) {
        long gap = sink.eventGapNanos();
        if (gap > 0 && shape.isStream()) {
            long until = lastSent + gap;
            for (long now = nanoClock.nanoTime(); now < until && !choice.generation().isFinished(); now = nanoClock.nanoTime()) {
                nanoClock.parkUntil(this, until);
            }
        }
    }

    private void await() throws InterruptedException {
        Choice waited = null;
        int unfinished = 0;
        for (int i = 0; i < choices.size(); i++) {
            Choice choice = choices.get(i);
            if (!choice.isFinished()) {
                waited = waited == null ? choice : waited;
                unfinished++;
            }
        }
        if (waited == null) {
            return;
        }
        long longest = unfinished > 1 ? SHARED_WAIT_NANOS : LONGEST_WAIT_NANOS;
        long pingAt = pingAtNanos();
        long untilPing = pingAt == Long.MAX_VALUE ? Long.MAX_VALUE : pingAt - nanoClock.nanoTime();
        if (untilPing <= 0) {
            pingIfSilent();
            return;
        }
        waited.generation().await(Math.min(longest, untilPing));
    }

    private boolean isFinished() {
        for (int i = 0; i < choices.size(); i++) {
            if (!choices.get(i).isFinished()) {
                return false;
            }
        }
        return true;
    }

    private Usage usage() {
        int prompt = 0;
        int cached = 0;
        int completion = 0;
        int reasoning = 0;
        Progress last = null;
        for (Choice choice : choices) {
            Progress progress = choice.generation().progress();
            if (choice.isFirstOfPrompt()) {
                prompt += progress.promptTokens();
                cached += progress.cachedTokens();
            }
            completion += choice.completionTokens();
            reasoning += choice.reasoningTokens();
            last = last == null || progress.prefillNanos() + progress.decodeNanos() > last.prefillNanos() + last.decodeNanos() ? progress : last;
        }
        return new Usage(prompt, cached, completion, reasoning, last == null ? 0 : last.prefillNanos(), last == null ? 0 : last.decodeNanos());
    }

    /** Cancels what still runs, waits until the engine has let go of it, and frees the choices. */
    @Override
    public void close() {
        boolean interrupted = false;
        for (Choice choice : choices) {
            Generation generation = choice.generation();
            if (generation == null) {
                continue;
            }
            if (!generation.isFinished()) {
                generation.cancel();
            }
            while (!generation.isFinished()) {
                try {
                    generation.await(LONGEST_WAIT_NANOS);
                } catch (InterruptedException e) {
                    interrupted = true; // the engine may still write to our memory: waiting cannot be cut short
                }
                choice.discard();
            }
        }
        closer.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
