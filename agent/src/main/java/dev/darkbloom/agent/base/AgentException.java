package dev.darkbloom.agent.base;

import java.util.Objects;
import java.util.Optional;

/**
 * A failure that somebody outside the room has to hear about.
 *
 * <p>The message names the thing, the value and the limit. It never quotes a prompt, an answer, a token or a secret: it is logged and
 * sent to clients.
 */
public final class AgentException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;
    private final String param;

    public AgentException(ErrorCode code, String message) {
        this(code, null, message, null);
    }

    public AgentException(ErrorCode code, String message, Throwable cause) {
        this(code, null, message, cause);
    }

    private AgentException(ErrorCode code, String param, String message, Throwable cause) {
        super(Objects.requireNonNull(message), cause);
        this.code = Objects.requireNonNull(code);
        this.param = param;
    }

    /** Returns an error that blames one request parameter or config key, by its name on the wire. */
    public static AgentException ofParam(ErrorCode code, String param, String message) {
        return new AgentException(code, Objects.requireNonNull(param), message, null);
    }

    public ErrorCode code() {
        return code;
    }

    /** Returns the parameter or key that is to blame, as {@code error.param} shows it. */
    public Optional<String> param() {
        return Optional.ofNullable(param);
    }
}
