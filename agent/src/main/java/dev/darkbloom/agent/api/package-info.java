/**
 * The local endpoint: an HTTP server on loopback with the OpenAI and Anthropic routes, the open health page, and the metrics.
 *
 * <p>{@link dev.darkbloom.agent.api.ApiServer} is the front door. One Netty event loop, {@code api-io}, owns every connection and never
 * blocks, parses JSON or tokenizes; each request runs on a virtual thread, {@code request-<id>}, that owns the body ({@code
 * content.Content}) and closes it. The answer's tokens are turned into events on the event loop itself, a turn for each step of the engine. They
 * leave through an {@link dev.darkbloom.agent.api.Outbox}, the one place that decides when bytes are flushed and how much may wait for a slow
 * reader.
 *
 * <p>Text of a request or an answer never becomes a heap object here: bodies go from direct buffers into a {@code Content}, answers from
 * segments into direct buffers, and both kinds of buffer are zeroed before they are freed ({@link
 * dev.darkbloom.agent.api.ZeroingAllocator}). May touch {@code chat}, {@code engine} ({@code ModelPool}, {@code ModelStatus}), {@code
 * content} and {@code base}; not {@code coordinator}, {@code hub} or {@code llama}.
 */
package dev.darkbloom.agent.api;
