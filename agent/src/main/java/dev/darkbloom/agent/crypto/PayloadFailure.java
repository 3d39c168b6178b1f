package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;

/** A sealed payload that was not opened. Says why in a word and quotes nothing; has no stack trace, since peers cause it at will. */
public final class PayloadFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Reason reason;

    /** What was wrong with it. */
    public enum Reason {
        INVALID_KEY("the sender's key is not a usable X25519 key"),
        INVALID_TEXT("the payload is not base64"),
        TRUNCATED("the payload is shorter than a nonce and a tag"),
        NOT_AUTHENTIC("the payload was changed, or sealed for another key"),
        REPLAYED("the payload was received before");

        private final String text;

        Reason(String text) {
            this.text = text;
        }
    }

    PayloadFailure(Reason reason) {
        super(reason.text, null, false, false);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }

    /** Returns the same as the error that the request ends with. */
    public AgentException toAgentException() {
        return new AgentException(ErrorCode.ENCRYPTION_FAILED, reason.text, this);
    }
}
