package dev.darkbloom.agent.engine;

/** Where a model stands. */
public enum ModelState {
    /** Known, not in memory; the first request loads it. */
    UNLOADED,
    LOADING,
    /** Serves. */
    READY,
    /** Finishes what runs, takes nothing new. */
    DRAINING,
    /** Could not be loaded; the next request tries again. */
    FAILED
}
