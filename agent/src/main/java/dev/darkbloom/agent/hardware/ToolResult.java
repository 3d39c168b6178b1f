package dev.darkbloom.agent.hardware;

import java.util.Objects;
import java.util.Optional;

/**
 * How a system's program ended and what it printed.
 *
 * @param outcome whether it ran to its end
 * @param exitCode its exit code; -1 when it did not end by itself
 * @param output its whole standard output; empty unless it ended by itself
 */
record ToolResult(Outcome outcome, int exitCode, String output) {
    /** What became of it. */
    enum Outcome {
        ENDED,
        /** There is no such program, or it may not be run. */
        MISSING,
        /** It did not end in time, and was ended. */
        TOO_SLOW,
        /** It printed more than anyone asked for, and was ended. */
        TOO_LONG,
        /** Its output could not be read, or the calling thread was interrupted. */
        BROKEN
    }

    ToolResult {
        Objects.requireNonNull(outcome);
        Objects.requireNonNull(output);
    }

    static ToolResult ended(int exitCode, String output) {
        return new ToolResult(Outcome.ENDED, exitCode, output);
    }

    static ToolResult failed(Outcome outcome) {
        return new ToolResult(outcome, -1, "");
    }

    /** Returns what it printed if it ended by itself, with whatever exit code; some tools answer well and end with 1. */
    Optional<String> text() {
        return outcome == Outcome.ENDED ? Optional.of(output) : Optional.empty();
    }

    /** Returns in a few words why there is no text, or what the exit code was. */
    String describe() {
        return switch (outcome) {
            case ENDED -> exitCode == 0 ? "answered" : "ended with " + exitCode;
            case MISSING -> "is missing";
            case TOO_SLOW -> "did not end in time";
            case TOO_LONG -> "printed too much";
            case BROKEN -> "could not be read";
        };
    }
}
