/**
 * The only room that constructs things and orders their start and stop.
 *
 * <p>{@link dev.darkbloom.agent.service.AgentRuntime} reads top to bottom as the tour of the architecture: lock, settings, native library,
 * engine, models, local endpoint, discovery record, control socket; it ends them in reverse through one {@code Closer}. {@link
 * dev.darkbloom.agent.service.AgentState} says where it stands. May touch every room below; no {@code MemorySegment}, no text of a request.
 *
 * <p>Threads: the one that starts the runtime also ends it; the state and the stop signal may be used from any thread.
 */
package dev.darkbloom.agent.service;
