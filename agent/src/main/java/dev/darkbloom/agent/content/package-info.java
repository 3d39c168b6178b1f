/**
 * Text and tokens outside the Java heap: the one place that knows how content lies in memory.
 *
 * <p>Prompts, answers and token ids live in segments of this room and never become a {@code String}, a {@code byte[]} or a JSON tree.
 * Whatever is freed is zeroed first. A leaf: it uses only {@code base}. Each class says which threads may use it.
 */
package dev.darkbloom.agent.content;
