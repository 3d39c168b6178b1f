package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.TooLongHttpHeaderException;

/** The errors of HTTP itself. None repeats what the client sent. */
final class Refusals {
    private Refusals() {}

    /** Returns the error for a head that the decoder could not read; its own message quotes what it read. */
    static AgentException unreadableHead(Throwable cause) {
        if (cause instanceof TooLongHttpHeaderException) {
            return new AgentException(ErrorCode.HEADERS_TOO_LARGE, "the headers are larger than this endpoint reads");
        }
        if (cause instanceof TooLongFrameException) {
            return new AgentException(ErrorCode.INVALID_REQUEST, "the request line is longer than this endpoint reads");
        }
        return new AgentException(ErrorCode.INVALID_REQUEST, "this is not an HTTP/1.1 request");
    }

    static AgentException unreadableBody() {
        return new AgentException(ErrorCode.INVALID_REQUEST, "the body's chunks cannot be read");
    }

    /** Returns the error for a body beyond the route's cap. */
    static AgentException tooLarge(Route route) {
        int cap = route.bodyCap();
        return new AgentException(
                ErrorCode.PAYLOAD_TOO_LARGE,
                "the body is larger than " + route.label() + " takes: " + cap + " bytes (" + (cap >> 20) + " MiB)");
    }

    static AgentException tooLate() {
        return new AgentException(ErrorCode.REQUEST_TIMEOUT, "the request did not come in time");
    }

    static AgentException tooManyConnections(int limit) {
        return new AgentException(ErrorCode.QUEUE_FULL, limit + " connections are open, as many as this endpoint takes");
    }
}
