/**
 * The provider protocol's messages, both directions, as sealed records, and their way to JSON and back.
 *
 * <p>Follows the protocol's specification: sections 3 to 5 for the messages, 6 for sealed payloads, 12 for what is signed. A coordinator of
 * the older protocol (April 2026) and one of the newer both understand what is written here; what they send and we do not know is counted
 * and left out. Components have the wire's names in camel case; an {@code Optional} is a member that is absent when it is empty.
 *
 * <p>No content is in any record: bodies and chunks are sealed payloads, which stay outside the heap as {@link
 * dev.darkbloom.agent.protocol.EncryptedPayload}. Shared by {@code coordinator}, which is the agent's end, and {@code hub}, which is the
 * other. Uses {@code base} and {@code content}, and Jackson for everything that is not sealed. Any thread.
 */
package dev.darkbloom.agent.protocol;
