/**
 * Keys, sealed payloads and signatures of the provider protocol (sections 6, 8.4 and 12 of its specification).
 *
 * <p>NaCl's box is libsodium's, called on segments outside the heap: a request's plaintext appears in the request's own {@code Content} and
 * nowhere else, and no key of a box ever becomes a Java object or touches the disk. The key that signs for the device is Java's own; what
 * it signs is no content. Uses {@code base} and {@code content}; knows nothing of messages, sockets and models. Each class says which
 * threads may use it and who closes it.
 */
package dev.darkbloom.agent.crypto;
