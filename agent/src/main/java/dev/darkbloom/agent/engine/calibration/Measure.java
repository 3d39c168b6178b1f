package dev.darkbloom.agent.engine.calibration;

/** A kind of work whose time is taken. */
enum Measure {
    /** A piece of a prompt, in one call. */
    PREFILL,
    /** One token after the other of one sequence. */
    DECODE,
    /** One token of each of several sequences in a call. */
    DECODE_SIDE_BY_SIDE
}
