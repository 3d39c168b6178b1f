package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.engine.Slot.Phase;

/**
 * Moves answers side by side. Requests go to the slots that hold their conversations, wherever these are, and the backend computes only
 * neighbours together: eight answers in every other slot take twice as long as eight in a row (see {@link BatchPlanner}).
 *
 * <p>It waits until slots have lain apart for some steps, since gaps that open and close as answers come and go are not worth it, and then
 * moves one answer or one idle slot's tokens a step, where copying is quick beside the steps that it makes shorter. What an idle slot in the way holds goes to the idle
 * slot that was used longest ago.
 */
@Confined("engine-<model>")
final class SlotPacker {
    /** Steps with a gap before something is moved. */
    private static final int PATIENCE = 4;
    /** An answer is moved when it may have so many tokens to come. */
    private static final int WORTHWHILE_TOKENS = 16;
    /** Copying may take so many decode steps. */
    private static final double MOST_STEPS = 4;

    private final Slot[] slots;
    private final PromptCache cache;
    private final StepPace pace;
    private final long stepTargetNanos;
    private int scatteredSteps;
    private int windowStart;
    private int windowEnd;

    SlotPacker(Slot[] slots, PromptCache cache, StepPace pace, long stepTargetNanos) {
        this.slots = slots;
        this.cache = cache;
        this.pace = pace;
        this.stepTargetNanos = stepTargetNanos;
    }

    /** Takes note of a step that has run, and of whether its slots lay apart. */
    void observe(boolean scattered) {
        scatteredSteps = scattered ? scatteredSteps + 1 : 0;
    }

    /** Moves an answer if it is time to; between two steps. */
    void pack(KvRoom room) {
        if (scatteredSteps < PATIENCE || !room.prefersNeighbours()) {
            return;
        }
        findWindow();
        Slot hole = hole();
        Slot moved = hole == null ? null : movable();
        if (moved == null) {
            return;
        }
        if (!isQuick(room.copyNanos())) {
            return;
        }
        Slot refuge = hole.heldTokens() == 0 ? null : refuge(hole);
        if (refuge == null) {
            cache.moveRunning(moved, hole);
        } else {
            cache.moveHeld(hole, refuge); // and the answer after the next step: one copy at a time
        }
    }

    /** Returns whether a copy fits into a step beside its rows, and into what the shorter steps to come will give back. */
    private boolean isQuick(long copyNanos) {
        double step = pace.decodeStepNanos();
        return copyNanos <= Math.min(stepTargetNanos - step, MOST_STEPS * step);
    }

    /** Finds where as many slots lie side by side as are busy, with the most busy ones among them already. */
    private void findWindow() {
        int busy = busyAmong(0, slots.length);
        int most = -1;
        for (int from = 0; from + busy <= slots.length; from++) {
            int inside = busyAmong(from, from + busy);
            if (inside > most) {
                windowStart = from;
                windowEnd = from + busy;
                most = inside;
            }
        }
    }

    private int busyAmong(int from, int to) {
        int busy = 0;
        for (int i = from; i < to; i++) {
            busy += slots[i].isIdle() ? 0 : 1;
        }
        return busy;
    }

    private Slot hole() {
        for (int i = windowStart; i < windowEnd; i++) {
            if (slots[i].isIdle()) {
                return slots[i];
            }
        }
        return null;
    }

    /** Returns the answer outside of the window with the most to come, or null. */
    private Slot movable() {
        Slot best = null;
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            boolean outside = i < windowStart || i >= windowEnd;
            if (outside && slot.phase() == Phase.DECODE && slot.tokensToCome() >= WORTHWHILE_TOKENS
                    && (best == null || slot.tokensToCome() > best.tokensToCome())) {
                best = slot;
            }
        }
        return best;
    }

    /** Returns the idle slot for what {@code hole} holds: an empty one, or the least recently used; null when that is the hole itself. */
    private Slot refuge(Slot hole) {
        Slot oldest = hole;
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (slot.isIdle() && (slot.heldTokens() == 0 || slot.lastUsed() < oldest.lastUsed())) {
                oldest = slot;
                if (slot.heldTokens() == 0) {
                    break;
                }
            }
        }
        return oldest == hole ? null : oldest;
    }
}
