package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.content.Content;

/** Answers a request that came through a coordinator; {@code chat.Completions} is the real one. */
@FunctionalInterface
public interface Answerer {
    /**
     * Answers a request, in blocking style, on the request's own virtual thread.
     *
     * @param body the request's JSON; borrowed until this returns
     * @throws dev.darkbloom.agent.base.AgentException what is wrong, at any time, also after the first byte of the answer
     */
    void answer(RequestId id, Content body, ResponseSink sink);
}
