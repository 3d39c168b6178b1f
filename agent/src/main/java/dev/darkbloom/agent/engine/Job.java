package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.engine.Generation.Outcome;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;

/**
 * What a request's thread and an engine's thread share: how the one says that it waits or gives up, and how the other says that something
 * has come or that it is over.
 */
abstract sealed class Job permits EngineGeneration, EmbeddingJob {
    private static final VarHandle ON_BELL;

    static {
        try {
            ON_BELL = MethodHandles.lookup().findVarHandle(Job.class, "onBell", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final Mailbox mailbox;
    final long submittedNanos;
    final long deadlineNanos;

    private volatile boolean cancelRequested;
    private volatile Outcome outcome;
    private volatile Thread waiter;
    @SuppressWarnings("unused") // by VarHandle
    private volatile boolean onBell;
    /** What runs on the engine's thread when there is news; null for nothing. */
    private volatile Runnable listener;

    /** The next job on the bell's list; belongs to whoever holds that list. */
    Job nextOnBell;

    Job(Mailbox mailbox, long submittedNanos, long deadlineNanos) {
        this.mailbox = mailbox;
        this.submittedNanos = submittedNanos;
        this.deadlineNanos = deadlineNanos;
    }

    /** Returns whether the request's thread has something to do; called by that thread. */
    abstract boolean isNews();

    /**
     * Parks the calling thread until {@link #isNews} or until the time is over.
     *
     * @return whether there is news
     */
    final boolean awaitNews(long nanos) throws InterruptedException {
        // What the caller took out of its ring must be visible before it looks whether the loop sleeps; see Mailbox.sleep.
        VarHandle.fullFence();
        mailbox.wakeIfAsleep();
        if (isNews()) {
            return true;
        }
        long start = System.nanoTime();
        waiter = Thread.currentThread();
        try {
            while (!isNews()) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                long left = nanos - (System.nanoTime() - start);
                if (left <= 0) {
                    return false;
                }
                LockSupport.parkNanos(this, left);
            }
            return true;
        } finally {
            waiter = null;
        }
    }

    /** Has {@code action} told of news from now on, and at once when there is some. */
    final void listen(Runnable action) {
        listener = action;
        VarHandle.fullFence(); // the engine's thread writes news before it looks for a listener
        if (isNews()) {
            action.run();
        }
    }

    /** Engine's thread: tells the listener, if there is one. What it will look at was written before, with a full fence since. */
    final void tellListener() {
        Runnable told = listener;
        if (told != null) {
            told.run();
        }
    }

    /** Wakes a loop that sleeps for want of room in rings; what was taken out of them is visible to it. */
    final void wakeLoop() {
        VarHandle.fullFence(); // see Mailbox.sleep
        mailbox.wakeIfAsleep();
    }

    /** Asks the loop to end this job; any thread, any number of times. */
    final void requestCancel() {
        if (!cancelRequested && outcome == null) {
            cancelRequested = true;
            mailbox.callAttention();
        }
    }

    final boolean isCancelRequested() {
        return cancelRequested;
    }

    final boolean isPast(long nowNanos) {
        return deadlineNanos != Long.MAX_VALUE && nowNanos - deadlineNanos >= 0;
    }

    /** Engine's thread: says that it is over; nothing of the request is touched after this. */
    final void publish(Outcome end) {
        outcome = end;
    }

    /** Returns how it ended, or null. */
    final Outcome ending() {
        return outcome;
    }

    /** Returns the thread that is parked for this job, or null. */
    final Thread waiter() {
        return waiter;
    }

    /** Marks this job as being on the bell's list; false when it already is. */
    final boolean enterBell() {
        return ON_BELL.compareAndSet(this, false, true);
    }

    /** Takes the mark away; whoever changes something after this puts the job on the list again. */
    final void leaveBell() {
        onBell = false;
    }
}
