package dev.darkbloom.agent.service;

import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Holds the agent's one {@link AgentState}. Any thread; of two that move it at once only one succeeds. */
final class Lifecycle {
    private static final Logger LOG = LoggerFactory.getLogger(Lifecycle.class);

    private final AtomicReference<AgentState> state = new AtomicReference<>(AgentState.STARTING);

    AgentState state() {
        return state.get();
    }

    /**
     * Moves from {@code from} to {@code to}.
     *
     * @return whether the agent was in {@code from}
     * @throws IllegalArgumentException when there is no way from the one to the other
     */
    boolean move(AgentState from, AgentState to) {
        if (!from.mayBecome(to)) {
            throw new IllegalArgumentException("no way from " + from + " to " + to);
        }
        boolean moved = state.compareAndSet(from, to);
        if (moved) {
            LOG.info("state {} -> {}", from.word(), to.word());
        }
        return moved;
    }

    /** Moves to {@code to} from wherever there is a way; returns whether there was one. */
    boolean moveTo(AgentState to) {
        AgentState from = state.get();
        while (from.mayBecome(to)) {
            if (move(from, to)) {
                return true;
            }
            from = state.get();
        }
        return false;
    }

    /** Moves to the end, from wherever the agent is. */
    void end() {
        if (!moveTo(AgentState.STOPPED) && moveTo(AgentState.DRAINING)) {
            moveTo(AgentState.STOPPED);
        }
    }
}
