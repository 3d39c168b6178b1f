package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread of one model, {@code engine-<model>}: it opens the context, turns until it is told to stop, and closes the context. A turn takes
 * the mail and lets the {@link Workload} make one step; when there is nothing to run, it sleeps.
 *
 * <p>Other threads meet it at {@link #mailbox} and {@link #admission}, and read {@link #counters}. A job that was admitted is always ended,
 * also when the context is lost or the loop is being stopped.
 */
@Confined("engine-<model>")
final class EngineLoop implements Runnable {
    private static final Logger log = LoggerFactory.getLogger(EngineLoop.class);

    /** What the loop tells the engine, from its own thread. */
    interface Owner {
        /** The last job of a closed admission has ended. */
        void whenIdle();

        /** The context was lost and opened anew. */
        void whenRebuilt(String message);

        /** The context was lost and could not be opened again; the loop serves nothing from now on and waits to be stopped. */
        void whenBroken(AgentException error);
    }

    /** What is known once the context is open. */
    record Dimensions(int slots, int contextTokens, int longestInput) {}

    final ModelSpec spec;
    final Mailbox mailbox;
    final Admission admission;
    final ModelCounters counters = new ModelCounters();

    private final ModelRuntime runtime;
    private final long contextBytes;
    private final EngineSettings settings;
    private final NanoClock clock;
    private final Owner owner;
    private final Bell bell;
    private final Finisher finisher;
    private final Thread thread;
    private final CompletableFuture<Dimensions> opened = new CompletableFuture<>();

    private TokenDecoder decoder;
    private Workload workload;

    /**
     * Makes a loop that has not begun.
     *
     * @param spec with which contexts are opened on {@code runtime}
     * @param contextBytes what the context's KV cache takes
     */
    EngineLoop(ModelRuntime runtime, ModelSpec spec, long contextBytes, EngineSettings settings, NanoClock clock, Owner owner) {
        this.runtime = runtime;
        this.spec = spec;
        this.contextBytes = contextBytes;
        this.settings = settings;
        this.clock = clock;
        this.owner = owner;
        mailbox = new Mailbox(clock);
        admission = new Admission(Admission.limit(spec.slots(), settings.queueLimit()), owner::whenIdle);
        bell = new Bell("engine-" + spec.id() + "-bell");
        finisher = new Finisher(spec.id(), clock, counters, admission, bell, settings.listener());
        thread = Thread.ofPlatform().name("engine-" + spec.id()).daemon(true).unstarted(this);
    }

    /**
     * Starts the thread and waits until the context is open.
     *
     * @throws AgentException {@code OUT_OF_MEMORY} and what else {@link ModelRuntime#openDecoder} throws; the thread has ended then
     */
    Dimensions start() {
        thread.start();
        try {
            return opened.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof AgentException known
                    ? known
                    : new AgentException(ErrorCode.INTERNAL, "opening the context failed: " + e.getCause(), e.getCause());
        }
    }

    /** Throws unless the loop's thread may read {@code segment}: it must come from a shared arena, not from a confined one. */
    void checkReadable(MemorySegment segment) {
        if (!segment.isAccessibleBy(thread)) {
            throw new IllegalArgumentException("a request's memory comes from a shared arena, since " + thread.getName() + " reads it");
        }
    }

    /** Ends every job with {@code error}, closes the context on its own thread and waits until that is done. */
    void stop(AgentException error) {
        admission.close(error);
        mailbox.endAll(error);
        mailbox.requestStop();
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true; // whoever unloads goes on to free what this thread uses, so it cannot leave early
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void run() {
        mailbox.own();
        try {
            open();
        } catch (Throwable t) {
            closeDecoder();
            opened.completeExceptionally(t);
            return;
        }
        bell.start();
        opened.complete(new Dimensions(decoder.sequences(), decoder.contextTokensPerSequence(), Embedder.longestInput(decoder)));
        BooleanSupplier runnable = workload::isRunnable;
        boolean more = true;
        while (more) {
            try {
                more = turn(runnable);
            } catch (Throwable t) {
                recover(t);
            }
        }
        workload.close();
        closeDecoder();
        bell.close();
    }

    private void open() {
        decoder = runtime.openDecoder(spec);
        String id = spec.id();
        workload = spec.embedding()
                ? new Embedder(id, decoder, clock, counters, finisher)
                : new Scheduler(spec, contextBytes, decoder, runtime.tokenizer().pieces(), clock, counters, finisher, bell,
                        new StepPace(settings.stepTarget().toNanos(), decoder.ubatchTokens(), spec.compute().prefillNanosPerToken(),
                                settings.prefillChunkTokens()), settings.stepTarget().toNanos());
    }

    /** Makes one turn; false when the loop is done. */
    private boolean turn(BooleanSupplier runnable) {
        for (Job job = mailbox.poll(); job != null; job = mailbox.poll()) {
            workload.accept(job);
        }
        long now = clock.nanoTime();
        if (mailbox.takeAttention()) {
            workload.sweep(now);
        } else if (now - workload.nextDeadlineNanos() >= 0 && workload.nextDeadlineNanos() != Long.MAX_VALUE) {
            workload.sweep(now);
        }
        AgentException endAll = mailbox.endAllError();
        if (endAll != null) {
            workload.endAll(endAll);
        }
        boolean worked = decoder != null && workload.step(now);
        bell.ring();
        if (worked) {
            return true;
        }
        if (mailbox.isStopRequested()) {
            // A job that was admitted just before the stop may still be on its way into the mailbox; it has to be ended, too.
            Thread.onSpinWait();
            return admission.taken() > 0;
        }
        mailbox.sleep(workload.nextDeadlineNanos(), runnable);
        return true;
    }

    /** Ends what was running when the context was lost, and opens another one in its place. */
    private void recover(Throwable cause) {
        AgentException error = cause instanceof AgentException known && known.code() == ErrorCode.DECODE_FATAL
                ? known
                : new AgentException(ErrorCode.DECODE_FATAL, "the context failed: " + cause.getClass().getSimpleName(), cause);
        String id = spec.id();
        log.error("context lost, opening another one model={}", id, cause);
        try {
            workload.endRunning(error);
        } catch (RuntimeException | Error e) {
            log.error("ending requests of a lost context failed model={}", id, e);
        }
        bell.ring();
        closeDecoder();
        try {
            decoder = runtime.openDecoder(spec);
            workload.use(decoder);
        } catch (RuntimeException | Error e) {
            closeDecoder();
            giveUp(e);
            return;
        }
        counters.rebuilds.add(1);
        owner.whenRebuilt(error.getMessage());
    }

    private void giveUp(Throwable cause) {
        var broken = new AgentException(ErrorCode.MODEL_UNAVAILABLE, "model " + spec.id()
                + " lost its context and could not open another one: " + cause.getMessage(), cause);
        admission.close(broken);
        mailbox.endAll(broken);
        owner.whenBroken(broken);
    }

    private void closeDecoder() {
        if (decoder == null) {
            return;
        }
        try {
            decoder.close();
        } catch (RuntimeException e) {
            log.error("closing a context failed model={}", spec.id(), e);
        }
        decoder = null;
    }
}
