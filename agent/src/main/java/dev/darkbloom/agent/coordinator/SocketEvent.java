package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.content.Content;

/** What happens on a {@link CoordinatorSocket}. */
sealed interface SocketEvent {
    /**
     * A message came, whole. It is sealed or plain protocol, never a request's text.
     *
     * @param message owned by whoever takes the event
     */
    record Frame(Content message) implements SocketEvent {}

    /** A ping was answered. */
    record Pong() implements SocketEvent {}

    /** Somebody wants the owner to look around. */
    record Wake() implements SocketEvent {}

    /** The connection is over; nothing comes after it. */
    record Ended(LinkEnd end) implements SocketEvent {}
}
