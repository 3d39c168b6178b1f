/**
 * The command line: one class per verb, each with options, one call into {@code service} and one render.
 *
 * <p>stdout is the answer, stderr is commentary. Exit codes: 0 done, 1 failed, 2 usage, 3 agent not running, 4 doctor found problems. A
 * running agent is reached through the small clients in {@code service}. May use {@code service} and the leaves; no Netty, {@code engine},
 * {@code llama} or JSON trees. Runs on the main thread.
 */
package dev.darkbloom.agent.cli;
