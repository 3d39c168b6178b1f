package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.engine.NanoClock;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** Time that passes only when a test says so; threads that wait for it wake when it does. */
public final class ManualClock implements NanoClock {
    private final AtomicLong now = new AtomicLong(1_000_000_000L);
    private final Set<Thread> parked = ConcurrentHashMap.newKeySet();

    @Override
    public long nanoTime() {
        return now.get();
    }

    /** Lets time pass. */
    public void advance(Duration by) {
        advanceNanos(by.toNanos());
    }

    /** Lets time pass; does not allocate. */
    public void advanceNanos(long nanos) {
        now.addAndGet(nanos);
        if (!parked.isEmpty()) {
            parked.forEach(LockSupport::unpark);
        }
    }

    @Override
    public void parkUntil(Object blocker, long deadlineNanos) {
        parked.add(Thread.currentThread());
        try {
            if (deadlineNanos == Long.MAX_VALUE || deadlineNanos - now.get() > 0) {
                LockSupport.park(blocker);
            }
        } finally {
            parked.remove(Thread.currentThread());
        }
    }
}
