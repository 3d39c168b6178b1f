/**
 * The program: {@link dev.darkbloom.agent.Main} and, below it, one package for each room.
 *
 * <p>Rooms call downwards only: {@code cli}, {@code service}, {@code api}, {@code chat}, {@code engine}, {@code llama}, the bindings.
 * {@code models}, {@code hardware} and {@code config} are leaves that the upper rooms may use; {@code content} is the one place that knows
 * how text lies in memory; {@code base} is shared by all. {@code ArchitectureTest} holds the arrows.
 */
package dev.darkbloom.agent;
