package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The bound on the requests that one model has taken on and not ended yet: those in slots and those that wait. Any thread, no lock.
 *
 * <p>Counting slots and queue together makes the bound exact: a burst that arrives during one step is taken on up to the last place, and
 * what is refused does not depend on when the loop next looks into its mail.
 */
final class Admission {
    private static final int CLOSED = 1 << 31;

    /** What {@link #enter} found. */
    enum Verdict { ENTERED, FULL, CLOSED }

    private final int limit;
    private final Runnable whenEmpty;
    /** Requests that hold a place; the sign bit says that nothing new is taken on. */
    private final AtomicInteger places = new AtomicInteger();
    /** Requests whose holder has not yet been told the end; falls after {@link #places}. */
    private final AtomicInteger unfinished = new AtomicInteger();
    private final AtomicReference<AgentException> closedBecause = new AtomicReference<>();

    /**
     * Makes an open admission.
     *
     * @param limit most requests at a time
     * @param whenEmpty runs on the leaving thread when the last request of a closed admission has ended
     */
    Admission(int limit, Runnable whenEmpty) {
        this.limit = limit;
        this.whenEmpty = whenEmpty;
    }

    /** Returns how many requests a model takes on. */
    static int limit(int slots, int queueLimit) {
        return slots + queueLimit;
    }

    /** Returns whether a model with so many requests takes on no more. */
    static boolean isFull(int taken, int slots, int queueLimit) {
        return taken >= limit(slots, queueLimit);
    }

    /** Returns the tokens that an answer could have behind a prompt; below one the prompt is too long. */
    static int answerRoom(int contextTokens, int promptTokens) {
        return contextTokens - promptTokens;
    }

    /** Takes a place, if there is one. */
    Verdict enter() {
        unfinished.incrementAndGet(); // first, so that whoever closes and then looks sees this request
        Verdict verdict = takePlace();
        if (verdict != Verdict.ENTERED) {
            ended();
        }
        return verdict;
    }

    private Verdict takePlace() {
        while (true) {
            int taken = places.get();
            if (taken < 0) {
                return Verdict.CLOSED;
            }
            if (taken >= limit) {
                return Verdict.FULL;
            }
            if (places.compareAndSet(taken, taken + 1)) {
                return Verdict.ENTERED;
            }
        }
    }

    /** Gives a place back; before the holder is told, who may ask again at once. */
    void leave() {
        places.decrementAndGet();
    }

    /** Says that the holder has been told. */
    void ended() {
        if (unfinished.decrementAndGet() == 0 && isClosed()) {
            whenEmpty.run();
        }
    }

    /** Takes on nothing new, from now on; {@code why} is what those who ask are told, and the first reason stays. */
    void close(AgentException why) {
        closedBecause.compareAndSet(null, why);
        places.getAndUpdate(taken -> taken | CLOSED);
    }

    /** Returns a fresh error that says why it is closed. */
    AgentException closedBecause() {
        AgentException why = closedBecause.get();
        return new AgentException(why.code(), why.getMessage(), why);
    }

    int limit() {
        return limit;
    }

    boolean isClosed() {
        return places.get() < 0;
    }

    /** Returns whether no request is left whose holder waits for its end. */
    boolean isEmpty() {
        return unfinished.get() == 0;
    }

    /** Returns the requests that hold a place. */
    int taken() {
        return places.get() & ~CLOSED;
    }
}
