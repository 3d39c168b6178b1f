package dev.darkbloom.agent.cli;

import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/**
 * Where a command reads and writes.
 *
 * @param out the answer
 * @param err commentary: progress, warnings, errors
 * @param isInteractive whether a person sits there: input and output are a terminal
 */
record Terminal(InputStream in, PrintWriter out, PrintWriter err, boolean isInteractive) {
    static Terminal ofProcess() {
        var console = System.console();
        return new Terminal(
                System.in,
                new PrintWriter(System.out, true, StandardCharsets.UTF_8),
                new PrintWriter(System.err, true, StandardCharsets.UTF_8),
                console != null && console.isTerminal());
    }

    /** Returns this terminal for a part whose answers are commentary on another answer. */
    Terminal commentary() {
        return new Terminal(in, err, err, isInteractive);
    }
}
