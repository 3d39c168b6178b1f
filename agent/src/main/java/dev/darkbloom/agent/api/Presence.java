package dev.darkbloom.agent.api;

import java.util.ArrayList;
import java.util.List;

/** Whether the client of one request is still there. Any thread. */
final class Presence {
    private final List<Runnable> actions = new ArrayList<>();
    private volatile boolean gone;

    boolean isGone() {
        return gone;
    }

    /** Has {@code action} run once when the client goes away, on the event loop, or here and now if it is gone already. */
    void onGone(Runnable action) {
        synchronized (actions) {
            if (!gone) {
                actions.add(action);
                return;
            }
        }
        action.run();
    }

    /** Says that the client is gone. A second call does nothing. */
    void leave() {
        List<Runnable> due;
        synchronized (actions) {
            gone = true;
            due = List.copyOf(actions);
            actions.clear();
        }
        due.forEach(Runnable::run);
    }
}
