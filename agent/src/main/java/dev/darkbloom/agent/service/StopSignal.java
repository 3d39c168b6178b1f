package dev.darkbloom.agent.service;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The wish that the agent ends, from a signal, the command line or a program. Any thread, any number of times: the earliest deadline holds,
 * so a second, more impatient wish cuts a drain short.
 */
public final class StopSignal {
    private static final long NEVER = Long.MAX_VALUE;

    private final CountDownLatch requested = new CountDownLatch(1);
    /** {@link System#nanoTime} at which what still runs is cancelled; {@link #NEVER} while nobody wishes. */
    private final AtomicLong deadlineNanos = new AtomicLong(NEVER);

    /** Wishes that the agent ends; what runs may go on for {@code patience}. */
    public void request(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        deadlineNanos.accumulateAndGet(deadline, (known, wished) -> known == NEVER || wished - known < 0 ? wished : known);
        requested.countDown();
    }

    public boolean isRequested() {
        return requested.getCount() == 0;
    }

    /** Waits until somebody wishes it. */
    public void await() throws InterruptedException {
        requested.await();
    }

    /** Returns what is left until the deadline, not below zero; a day while nobody wishes that the agent ends. */
    Duration patienceLeft() {
        long deadline = deadlineNanos.get();
        return deadline == NEVER ? Duration.ofDays(1) : Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
    }
}
