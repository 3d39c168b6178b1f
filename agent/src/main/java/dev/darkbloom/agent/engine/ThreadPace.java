package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;

/**
 * Takes compute threads away while others need the cores, and gives them back.
 *
 * <p>Compute threads wait for each other at every layer, and they wait by spinning. Where one of them has lost its core to another program, all
 * wait until it gets it back: two threads on two busy cores have been seen to take a hundred times as long as one. That it has come to this
 * shows in two things: the engine's own thread waits for a core for a good part of each step, and steps get less than half as much done as
 * steps with as many answers did before. Half the threads are tried for a moment then, and kept if they get more done; all of them are tried
 * again from time to time, the more seldom the worse that went.
 */
@Confined("engine-<model>")
final class ThreadPace {
    /** Time that is looked at as one. */
    private static final long WINDOW_NANOS = 50_000_000;
    /** A thread that is on its core for less than this part of its time shares it. */
    private static final double ALONE = 0.8;
    /** What others take from a thread is bearable down to this part of what it got done before. */
    private static final double BEARABLE = 0.5;
    /** What was best is forgotten by so much each time: a long conversation's steps are slower by themselves. */
    private static final double FORGOTTEN = 0.998;
    /** Fewer threads have to get so much more done. */
    private static final double BETTER = 1.1;
    private static final long SHORTEST_PAUSE_NANOS = 1_000_000_000;
    private static final long LONGEST_PAUSE_NANOS = 60_000_000_000L;
    /** A trial that was worse is not made again before this many times its length. */
    private static final long PATIENCE = 20;

    private enum State { ALL, TRYING_FEWER, FEWER, TRYING_ALL }

    private final int all;
    /** By the answers in a step: the most steps in a nanosecond that all threads got done; 0 when nobody knows. */
    private final double[] best;
    private State state = State.ALL;
    private int threads;
    private double rateBefore;
    private long pauseNanos = SHORTEST_PAUSE_NANOS;
    /** No trial before this time. */
    private long notBefore = Long.MIN_VALUE;

    private int answersOfStep;
    private long steps;
    private long wallNanos;
    private long cpuNanos;

    /**
     * Makes one that has seen nothing.
     *
     * @param mostAnswers in a step
     */
    ThreadPace(int threads, int mostAnswers) {
        this.all = threads;
        this.threads = threads;
        this.best = new double[mostAnswers + 1];
    }

    /** Returns the threads for the next step. */
    int threads() {
        return threads;
    }

    /**
     * Takes note of a step that wrote answers and read no prompt.
     *
     * @param answers rows of its batch
     * @param stepNanos how long it took
     * @param stepCpuNanos how long of that the engine's thread was on a core
     * @param nowNanos when it ended
     */
    void observe(int answers, long stepNanos, long stepCpuNanos, long nowNanos) {
        if (all == 1) {
            return;
        }
        if (answers != answersOfStep) { // only like is compared with like
            answersOfStep = answers;
            begin();
        }
        steps++;
        wallNanos += stepNanos;
        cpuNanos += stepCpuNanos;
        if (wallNanos >= WINDOW_NANOS) {
            decide((double) steps / wallNanos, nowNanos);
            begin();
        }
    }

    private void begin() {
        steps = 0;
        wallNanos = 0;
        cpuNanos = 0;
    }

    private void decide(double rate, long nowNanos) {
        switch (state) {
            case ALL -> {
                double known = best[answersOfStep];
                best[answersOfStep] = Math.max(FORGOTTEN * known, rate);
                if (cpuNanos < ALONE * wallNanos && (known == 0 || rate < BEARABLE * known) && nowNanos >= notBefore) {
                    rateBefore = rate;
                    enter(State.TRYING_FEWER);
                }
            }
            case TRYING_FEWER -> {
                if (rate > BETTER * rateBefore) {
                    enter(State.FEWER);
                    notBefore = nowNanos + pauseNanos;
                } else {
                    enter(State.ALL);
                    pauseAfterTrial(nowNanos);
                }
            }
            case FEWER -> {
                if (nowNanos >= notBefore) {
                    rateBefore = rate;
                    enter(State.TRYING_ALL);
                }
            }
            case TRYING_ALL -> {
                if (rate * BETTER >= rateBefore) {
                    enter(State.ALL);
                    pauseNanos = SHORTEST_PAUSE_NANOS;
                    notBefore = nowNanos + pauseNanos;
                } else {
                    enter(State.FEWER);
                    pauseAfterTrial(nowNanos);
                }
            }
        }
    }

    private void enter(State next) {
        state = next;
        threads = next == State.ALL || next == State.TRYING_ALL ? all : Math.max(1, all / 2);
    }

    private void pauseAfterTrial(long nowNanos) {
        pauseNanos = Math.clamp(Math.max(2 * pauseNanos, PATIENCE * wallNanos), SHORTEST_PAUSE_NANOS, LONGEST_PAUSE_NANOS);
        notBefore = nowNanos + pauseNanos;
    }
}
