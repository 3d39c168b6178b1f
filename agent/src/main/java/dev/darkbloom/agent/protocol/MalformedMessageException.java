package dev.darkbloom.agent.protocol;

/** A frame that is no message of the protocol. Says where and how it is wrong, and quotes nothing of it. */
public final class MalformedMessageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    MalformedMessageException(String message) {
        super(message, null, false, false); // peers cause it at will, and a cause of Jackson's would quote them
    }
}
