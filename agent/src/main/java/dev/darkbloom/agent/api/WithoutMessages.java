package dev.darkbloom.agent.api;

/**
 * A failure as it may be logged: classes and stack frames of the whole chain, no messages. Messages of exceptions that nobody wrote for
 * the log quote their input, and here that is a prompt or an answer.
 */
final class WithoutMessages extends Exception {
    private static final long serialVersionUID = 1L;
    private static final int DEEPEST = 8;

    private WithoutMessages(Throwable failure, WithoutMessages cause) {
        super(failure.getClass().getName(), cause, false, true);
        setStackTrace(failure.getStackTrace());
    }

    static WithoutMessages of(Throwable failure) {
        return of(failure, DEEPEST);
    }

    private static WithoutMessages of(Throwable failure, int depth) {
        Throwable cause = failure.getCause();
        return new WithoutMessages(failure, cause == null || depth == 0 ? null : of(cause, depth - 1));
    }
}
