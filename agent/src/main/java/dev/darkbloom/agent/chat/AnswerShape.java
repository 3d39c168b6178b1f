package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * How one API writes answers: as a stream of events or as one document.
 *
 * <p>Called by the request's thread, in this order: {@link #submitted}; {@link #begin}; deltas and {@link #finished} of each choice; {@link #end}, or {@link
 * #fail} at any time after begin. Segments are UTF-8 views that end with the call.
 */
interface AnswerShape extends AutoCloseable {
    /** Returns whether events go out while the answer grows; otherwise nothing leaves before {@link #end}. */
    boolean isStream();

    /** The engine has taken every choice; nothing has come of them yet. */
    default void submitted() {}

    /** Begins the answer. */
    void begin(Iterable<Choice> choices);

    void reasoning(Choice choice, MemorySegment text);

    void content(Choice choice, MemorySegment text);

    /** A tool call begins; {@code index} counts from 0 within the choice. */
    void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name);

    /** A further piece of a call's arguments. */
    void toolArguments(Choice choice, int index, MemorySegment text);

    /**
     * A choice has ended; its finish reason is set.
     *
     * @param total what the whole answer took, when this was its last choice
     */
    void finished(Choice choice, Optional<Usage> total);

    /** Ends the answer after its last choice. */
    void end(Usage total);

    /** Sends the API's own sign of life into a stream that has begun; returns false where it has none, and a comment has to do. */
    default boolean ping() {
        return false;
    }

    /** Tells of a failure after {@link #begin}, for a stream. */
    void fail(AgentException error);

    @Override
    void close();
}
