package dev.darkbloom.agent.hardware;

/** Runs the system's own small programs. {@link SystemTools} is the real one; tests answer with what real machines printed. Any thread. */
@FunctionalInterface
interface ToolRunner {
    /**
     * Runs a program to its end; blocks meanwhile.
     *
     * @param command the program's absolute path and its arguments; no shell reads them
     */
    ToolResult run(String... command);
}
