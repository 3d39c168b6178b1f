/**
 * How the command line reaches a running agent: a Unix socket in the home, one JSON object a line.
 *
 * <p>{@link dev.darkbloom.agent.service.control.ControlServer} answers in the agent's process, {@link
 * dev.darkbloom.agent.service.control.ControlClient} asks from another; {@code ControlCodec} alone knows the JSON. Works with or without an
 * HTTP endpoint. Who may ask is decided by file modes: the home is 0700, the socket 0600.
 *
 * <p>Threads: {@code control} accepts, each connection has a virtual thread {@code control-<n>}.
 */
package dev.darkbloom.agent.service.control;
