package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.NanoClock;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries an answer on the sink's own thread, while the request's thread waits for its end.
 *
 * <p>The engine's thread, having put tokens into rings, asks for one turn of that thread; the turn takes all that has come, for every choice,
 * and the sink writes it at the turn's end. So a step costs one wake-up however many streams there are, and a thread that is busy takes more
 * at a time.
 */
final class AnswerPump {
    private static final Logger log = LoggerFactory.getLogger(AnswerPump.class);
    private static final VarHandle ASKED;

    static {
        try {
            ASKED = MethodHandles.lookup().findVarHandle(AnswerPump.class, "asked", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Answer answer;
    private final Executor loop;
    private final NanoClock clock;
    private final Runnable turn = this::turn; // once: asking for a turn allocates nothing
    private final CountDownLatch done = new CountDownLatch(1);
    @SuppressWarnings("unused") // by VarHandle
    private volatile boolean asked;
    /** The loop's thread only, until {@link #done}. */
    private boolean over;
    private Throwable failure;

    AnswerPump(Answer answer, Executor loop, NanoClock clock) {
        this.answer = answer;
        this.loop = loop;
        this.clock = clock;
    }

    /** Request's thread: returns when the answer has been handed on, or throws as {@link Answer#run}. Nothing is carried after that. */
    void run() throws InterruptedException {
        answer.onNews(this::ask);
        ask();
        try {
            while (!awaitDone()) {
                ask(); // for a ping
            }
        } catch (InterruptedException e) {
            giveUp();
            throw e;
        }
        switch (failure) {
            case null -> { }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable t -> throw new AgentException(ErrorCode.INTERNAL, "carrying the answer failed: " + t.getClass().getSimpleName(), t);
        }
    }

    private boolean awaitDone() throws InterruptedException {
        long pingAt = answer.pingAtNanos();
        if (pingAt == Long.MAX_VALUE) {
            done.await();
            return true;
        }
        return done.await(Math.max(1, pingAt - clock.nanoTime()), TimeUnit.NANOSECONDS);
    }

    /** Any thread: asks for a turn, unless one is due already. */
    private void ask() {
        if (ASKED.compareAndSet(this, false, true)) {
            try {
                loop.execute(turn);
            } catch (RejectedExecutionException _) {
                // The loop has ended, and every connection with it: its presence tells the engine to stop, and nobody else runs turns.
                log.debug("an answer's loop has ended");
                end(new AgentException(ErrorCode.CANCELLED, "the connection's thread has ended"));
            }
        }
    }

    private void turn() {
        ASKED.setVolatile(this, false); // before looking: what comes after this asks again
        if (over) {
            return;
        }
        try {
            if (answer.advance()) {
                end(null);
                return;
            }
            answer.taken();
            answer.pingIfSilent();
        } catch (Throwable t) {
            end(t);
        }
    }

    private void end(Throwable cause) {
        if (!over) {
            over = true;
            failure = cause;
            done.countDown();
        }
    }

    /** Request's thread: waits until no turn runs and none will. */
    private void giveUp() {
        try {
            loop.execute(() -> end(new AgentException(ErrorCode.CANCELLED, "the request was interrupted")));
        } catch (RejectedExecutionException _) {
            return; // no turn runs on a loop that has ended
        }
        while (true) {
            try {
                done.await();
                return;
            } catch (InterruptedException _) {
                // the caller throws one already
            }
        }
    }
}
