package dev.darkbloom.agent.engine;

import java.util.concurrent.locks.LockSupport;

/** Time as the engine's threads see it, so that tests can hold it in their hands. Any thread. */
public interface NanoClock {
    /** The machine's own clock. */
    NanoClock SYSTEM = new NanoClock() {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public void parkUntil(Object blocker, long deadlineNanos) {
            if (deadlineNanos == Long.MAX_VALUE) {
                LockSupport.park(blocker);
                return;
            }
            long nanos = deadlineNanos - System.nanoTime();
            if (nanos > 0) {
                LockSupport.parkNanos(blocker, nanos);
            }
        }
    };

    /** Returns nanoseconds since some fixed moment, as {@link System#nanoTime}. */
    long nanoTime();

    /**
     * Parks the calling thread until it is unparked or interrupted, the deadline has passed, or for no reason at all.
     *
     * @param deadlineNanos a reading of {@link #nanoTime}; {@link Long#MAX_VALUE} for none
     */
    void parkUntil(Object blocker, long deadlineNanos);
}
