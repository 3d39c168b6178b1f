package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.chat.Endpoint;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.content.Content;

/** Answers one request; {@code chat.Completions} is the real one. */
@FunctionalInterface
public interface RequestRunner {
    /**
     * Answers a request, in blocking style, on the request's own virtual thread.
     *
     * @param body the request's JSON; owned by the caller, who closes it when this returns
     * @param sink where the answer goes
     * @throws dev.darkbloom.agent.base.AgentException before the first byte of the answer only
     */
    void run(Endpoint endpoint, RequestId id, Content body, ResponseSink sink);
}
