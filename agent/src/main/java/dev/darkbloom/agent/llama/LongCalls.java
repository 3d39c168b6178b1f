package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;

/**
 * Keeps native calls on large inputs off the carriers of virtual threads.
 *
 * <p>A native call pins its carrier, and there are as many carriers as cores: two requests that tokenize a megabyte would hold up every other
 * request of the agent, the health check included. A call on more than {@link #SHORT_BYTES} is made by a platform thread, of which a few run
 * at a time, while the caller's virtual thread waits without a carrier. Any thread.
 */
public final class LongCalls {
    /**
     * Says whether somebody still waits for what the calling thread works on. Asked when a long call's turn has come, by any thread; where it is
     * not bound, somebody does.
     */
    public static final ScopedValue<BooleanSupplier> WANTED = ScopedValue.newInstance();

    /** Bytes of input up to which a call is made at once; a few milliseconds of rendering or tokenizing. */
    static final long SHORT_BYTES = 16 << 10;

    private static final Semaphore TURNS = new Semaphore(Math.max(1, Runtime.getRuntime().availableProcessors() / 2), true);

    private LongCalls() {}

    /**
     * Makes a native call and returns its result. Segments that it uses stay the caller's, who waits until it has ended; they are handed to it
     * by {@link #borrowed}, since a segment may belong to the calling thread alone.
     *
     * @param inputBytes size of what the call looks at
     * @throws AgentException {@code CANCELLED} when nobody wants the result any more before the call has begun, or the thread is interrupted by
     *     then; an interrupt during the call is kept for later
     */
    static int run(long inputBytes, IntSupplier call) {
        if (inputBytes <= SHORT_BYTES || !Thread.currentThread().isVirtual()) {
            return call.getAsInt();
        }
        return inTurn(WANTED.isBound() ? WANTED.get() : () -> true, call);
    }

    /** Returns the address of a segment, for use by another thread while its owner waits. */
    static MemorySegment borrowed(MemorySegment segment) {
        return MemorySegment.ofAddress(segment.address());
    }

    private static int inTurn(BooleanSupplier wanted, IntSupplier call) {
        try {
            TURNS.acquire();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new AgentException(ErrorCode.CANCELLED, "the request was interrupted");
        }
        try {
            if (!wanted.getAsBoolean()) {
                throw new AgentException(ErrorCode.CANCELLED, "the other side is gone");
            }
            var task = new FutureTask<>(call::getAsInt);
            Thread.ofPlatform().name("native-call").daemon().start(task);
            return await(task);
        } finally {
            TURNS.release();
        }
    }

    /** Waits whatever comes: the call reads the caller's memory. */
    private static int await(FutureTask<Integer> task) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException _) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    throw new IllegalStateException("a native call failed", e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
