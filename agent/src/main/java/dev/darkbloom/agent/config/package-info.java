/**
 * Where the agent keeps its things, and what its owner has set: the home directory and {@code agent.toml}.
 *
 * <p>{@link dev.darkbloom.agent.config.ConfigKey} is the one table of keys: defaults, ranges, the words of {@code config explain} and the
 * page {@code docs/configuration.md} all come from it. A key exists when something reads it; an unknown key is refused with its line and
 * the nearest known name. A leaf: uses {@code base} only. Everything here is immutable and safe on any thread.
 */
package dev.darkbloom.agent.config;
