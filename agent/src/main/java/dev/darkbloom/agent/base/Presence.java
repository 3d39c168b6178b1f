package dev.darkbloom.agent.base;

import java.util.ArrayList;
import java.util.List;

/** Whether somebody who waits for an answer is still there. Any thread. */
public final class Presence {
    private final List<Runnable> actions = new ArrayList<>();
    private volatile boolean gone;

    public boolean isGone() {
        return gone;
    }

    /** Has {@code action} run once: by the thread that says {@link #leave}, or here and now if that has been said already. */
    public void onGone(Runnable action) {
        synchronized (actions) {
            if (!gone) {
                actions.add(action);
                return;
            }
        }
        action.run();
    }

    /** Says that nobody waits any more. A second call does nothing. */
    public void leave() {
        List<Runnable> due;
        synchronized (actions) {
            gone = true;
            due = List.copyOf(actions);
            actions.clear();
        }
        due.forEach(Runnable::run);
    }
}
