/**
 * The agent's side of the provider protocol: a connection to one coordinator, kept up; what the node reports over it; the requests that come in
 * through it, answered by {@code chat} and sealed on their way out.
 *
 * <p>Threads: {@code coordinator-io} is Netty's loop, which moves frames and does nothing else. {@code coordinator} dials, registers, reports,
 * reads frames and waits between attempts; it alone changes the link's state. Each request is decrypted, answered and sealed on a virtual
 * thread {@code request-<id>}; downloads, loads and signatures run on virtual threads {@code task-<name>}.
 *
 * <p>A request's text lies in {@code content} memory that its own thread owns. What Netty holds is sealed in both directions.
 *
 * <p>May not touch {@code llama}, {@code api} or {@code hub}. Follows the provider protocol of the network's coordinators as of April 2026, and
 * what is documented of later ones.
 */
package dev.darkbloom.agent.coordinator;
