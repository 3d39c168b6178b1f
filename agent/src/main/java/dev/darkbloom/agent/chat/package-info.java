/**
 * From a request's JSON to prompt tokens, and from answer tokens to response chunks, all of it outside the heap.
 *
 * <p>{@link dev.darkbloom.agent.chat.Completions} is the front door: one call per request, in blocking style, on the request's own virtual
 * thread. Settings become Java values; whatever a person wrote or a model answered stays in {@code content}. May touch {@code engine},
 * {@code llama} (its interfaces), {@code content} and {@code base}; no Netty, no sockets, no files.
 */
package dev.darkbloom.agent.chat;
