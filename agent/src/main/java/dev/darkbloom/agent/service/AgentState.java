package dev.darkbloom.agent.service;

import java.util.Locale;

/** Where the agent stands. A running agent is in exactly one of these; {@link Lifecycle} moves it. */
public enum AgentState {
    STARTING("nothing to do; it is opening its parts"),
    LOADING("nothing to do; requests are answered when the models are loaded"),
    READY("nothing to do"),
    /** Up, but no model can be loaded; the endpoint answers and says so. */
    NEEDS_MODEL("see the models' last errors below, free memory or start with another --model"),
    DRAINING("nothing to do; what runs is being finished, nothing new is taken"),
    STOPPED("start it: darkbloom-agent start --local");

    private final String advice;

    AgentState(String advice) {
        this.advice = advice;
    }

    /** Returns what its owner should do. */
    public String advice() {
        return advice;
    }

    /** Returns the state as {@code status} prints it: {@code needs-model}. */
    public String word() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Returns whether the agent may go straight from here to {@code next}. */
    boolean mayBecome(AgentState next) {
        return switch (this) {
            case STARTING -> next == LOADING || next == DRAINING || next == STOPPED;
            case LOADING -> next == READY || next == NEEDS_MODEL || next == DRAINING || next == STOPPED;
            case READY -> next == NEEDS_MODEL || next == DRAINING;
            case NEEDS_MODEL -> next == READY || next == DRAINING;
            case DRAINING -> next == STOPPED;
            case STOPPED -> false;
        };
    }
}
