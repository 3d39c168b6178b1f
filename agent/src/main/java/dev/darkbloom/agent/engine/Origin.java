package dev.darkbloom.agent.engine;

/**
 * Where a request comes from, as far as the prompt cache has to know: what slots hold of one origin's prompts is never reused for the other. A
 * reused beginning shows in counts and in time, so it would confirm a guess at somebody else's prompt.
 */
public enum Origin {
    /** The machine's own clients. */
    LOCAL,
    /** Somebody else, whose prompts the machine's owner must not learn. */
    RELAYED
}
