package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import java.lang.invoke.VarHandle;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * The one way into a model's loop: new jobs, and marks that something else has to be looked at. Any thread writes, the loop reads; its
 * bound is {@link Admission}'s. Reading an empty box allocates nothing.
 */
final class Mailbox {
    private final NanoClock clock;
    private final ConcurrentLinkedQueue<Job> arrivals = new ConcurrentLinkedQueue<>();
    private volatile boolean attention;
    private volatile boolean stopRequested;
    private volatile AgentException endAllWith;
    private volatile boolean asleep;
    private volatile Thread loop;

    Mailbox(NanoClock clock) {
        this.clock = clock;
    }

    /** Returns the time on the loop's clock. */
    long nanoTime() {
        return clock.nanoTime();
    }

    /** Any thread: hands a job over. */
    void put(Job job) {
        arrivals.add(job);
        wakeIfAsleep();
    }

    /** Any thread: asks the loop to look through its jobs for cancelled ones. */
    void callAttention() {
        attention = true;
        wakeIfAsleep();
    }

    /** Any thread: asks the loop to end every job with this error, from now on; the first error stays. */
    void endAll(AgentException error) {
        if (endAllWith == null) {
            endAllWith = error;
        }
        callAttention();
    }

    /** Any thread: asks the loop to end itself. */
    void requestStop() {
        stopRequested = true;
        wakeIfAsleep();
    }

    void wakeIfAsleep() {
        if (asleep) {
            LockSupport.unpark(loop);
        }
    }

    /** Loop: says who reads. */
    void own() {
        loop = Thread.currentThread();
    }

    /** Loop: returns the next new job, or null. */
    Job poll() {
        return arrivals.poll();
    }

    /** Loop: returns whether attention was called since the last time. */
    boolean takeAttention() {
        if (!attention) {
            return false;
        }
        attention = false;
        return true;
    }

    /** Loop: returns the error with which all jobs end, those that are still to come included, or null. */
    AgentException endAllError() {
        return endAllWith;
    }

    boolean isStopRequested() {
        return stopRequested;
    }

    /**
     * Loop: sleeps until something arrives, a reader has made room, or the deadline has passed.
     *
     * @param runnable says whether there is work after all; asked after the loop is marked asleep, so that a change made before the other
     *     side saw that mark is not missed
     */
    void sleep(long deadlineNanos, BooleanSupplier runnable) {
        asleep = true;
        VarHandle.fullFence();
        if (arrivals.isEmpty() && !attention && !stopRequested && !runnable.getAsBoolean()) {
            clock.parkUntil(this, deadlineNanos);
        }
        asleep = false;
    }
}
