package dev.darkbloom.agent.engine;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;

/**
 * Wakes the threads that wait for a model's tokens.
 *
 * <p>Waking a virtual thread allocates on the thread that wakes it. The engine's thread therefore wakes nobody but this one, once per step,
 * which costs it no allocation: it puts jobs on a list made of the jobs themselves, and {@code engine-<model>-bell} goes through it.
 */
final class Bell implements Runnable {
    private static final VarHandle HEAD;

    static {
        try {
            HEAD = MethodHandles.lookup().findVarHandle(Bell.class, "head", Job.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Thread thread;
    @SuppressWarnings("unused") // by VarHandle
    private volatile Job head;
    private volatile boolean asleep;
    private volatile boolean closed;
    /** Engine's thread only: whether something was put on the list since the last {@link #ring}. */
    private boolean noted;

    Bell(String name) {
        thread = Thread.ofPlatform().name(name).daemon(true).unstarted(this);
    }

    void start() {
        thread.start();
    }

    /**
     * Engine's thread: remembers a job whose holder has to look. What the holder will look at was written before, with a full fence since.
     */
    void note(Job job) {
        if (job.waiter() == null || !job.enterBell()) {
            return;
        }
        Job first;
        do {
            first = (Job) HEAD.getAcquire(this);
            job.nextOnBell = first;
        } while (!HEAD.compareAndSet(this, first, job));
        noted = true;
    }

    /** Engine's thread: wakes the holders of all noted jobs, soon. */
    void ring() {
        if (noted) {
            noted = false;
            if (asleep) {
                LockSupport.unpark(thread);
            }
        }
    }

    @Override
    public void run() {
        while (true) {
            Job job = (Job) HEAD.getAndSet(this, null);
            if (job == null) {
                if (closed) {
                    return;
                }
                asleep = true;
                if (head == null && !closed) {
                    LockSupport.park(this);
                }
                asleep = false;
                continue;
            }
            while (job != null) {
                Job next = job.nextOnBell;
                job.nextOnBell = null;
                job.leaveBell();
                LockSupport.unpark(job.waiter()); // null, when the holder has seen it already, is fine
                job = next;
            }
        }
    }

    /** Rings for what is on the list and ends the thread. Called by the engine's thread as its last act. */
    void close() {
        closed = true;
        LockSupport.unpark(thread);
    }
}
