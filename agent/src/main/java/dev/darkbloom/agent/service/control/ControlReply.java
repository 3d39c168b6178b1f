package dev.darkbloom.agent.service.control;

/** What a running agent answers. */
sealed interface ControlReply {
    record Status(StatusReport report) implements ControlReply {}

    /** The agent is ending; so many requests still run or wait. */
    record Draining(int requests) implements ControlReply {}

    /** It will not. */
    record Refused(String message) implements ControlReply {}
}
