package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import java.lang.invoke.VarHandle;

/**
 * Tells readers of new tokens: once in a millisecond where steps are shorter than that, unless it is the first one or the last. Nobody sees
 * the difference, and waking a reader after each token would take the cores from the next step.
 */
@Confined("engine-<model>")
final class Announcer {
    private static final long UNSEEN_NANOS = 1_000_000;

    private final Slot[] slots;
    private final Bell bell;
    private final StepPace pace;
    private long toldNanos;
    private boolean untold;

    Announcer(Slot[] slots, Bell bell, StepPace pace) {
        this.slots = slots;
        this.bell = bell;
        this.pace = pace;
    }

    /** Returns whether a reader has a token that it was not told about. */
    boolean hasUntold() {
        return untold;
    }

    /** Tells of what a step has brought, now or with one of the next. */
    void stepped(long nowNanos, int promptTokens) {
        if (promptTokens == 0 && isSoonerThanSeen(nowNanos)) {
            untold = true;
        } else {
            tell(nowNanos);
        }
    }

    /** Returns whether the next step, too, will have ended before a reader could tell the difference; never while a reader is behind. */
    private boolean isSoonerThanSeen(long nowNanos) {
        double step = pace.decodeStepNanos();
        if (step == 0 || nowNanos - toldNanos + step > UNSEEN_NANOS) {
            return false;
        }
        for (int i = 0; i < slots.length; i++) {
            if (!slots[i].isIdle() && !slots[i].hasRingRoom()) {
                return false;
            }
        }
        return true;
    }

    /** Tells all readers that have tokens they were not told about. */
    void tell(long nowNanos) {
        untold = false;
        toldNanos = nowNanos;
        VarHandle.fullFence(); // rings and counts are written before anyone is looked up who waits for them
        for (int i = 0; i < slots.length; i++) {
            if (!slots[i].isIdle()) {
                EngineGeneration generation = slots[i].generation();
                if (generation.takeFresh()) {
                    generation.tellListener();
                }
                bell.note(generation);
            }
        }
    }
}
