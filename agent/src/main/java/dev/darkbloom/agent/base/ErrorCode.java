package dev.darkbloom.agent.base;

/**
 * Every way in which the agent says no, with who can help, how it looks from outside and what mends it.
 *
 * <p>This is the one table from which HTTP status, wire code and process exit code are read.
 */
public enum ErrorCode {
    INVALID_REQUEST(Kind.REQUEST, 400, "invalid_request", "correct the request"),
    INVALID_JSON(Kind.REQUEST, 400, "invalid_json", "send one well-formed JSON object"),
    UNSUPPORTED_PARAMETER(Kind.REQUEST, 400, "unsupported_parameter", "leave the named parameter out"),
    CONTEXT_TOO_LONG(Kind.REQUEST, 400, "request_exceeds_context", "shorten the prompt, or start with a larger --ctx-size"),
    INVALID_GRAMMAR(Kind.REQUEST, 400, "invalid_grammar", "correct the grammar"),
    INVALID_SCHEMA(Kind.REQUEST, 400, "invalid_schema", "correct the JSON schema"),
    TEMPLATE_FAILED(Kind.REQUEST, 400, "template_failed", "send messages that the model's chat template accepts"),
    UNSUPPORTED_MEDIA(Kind.REQUEST, 400, "unsupported_media", "send text only"),
    ENCRYPTION_FAILED(Kind.REQUEST, 400, "encryption_failure", "seal the request to the key that this agent registered last"),
    EMBEDDINGS_NOT_CONFIGURED(Kind.REQUEST, 400, "embeddings_not_configured", "start with an embedding model"),
    RERANK_NOT_CONFIGURED(Kind.REQUEST, 400, "rerank_not_configured", "start with a model that ranks"),
    PREVIOUS_RESPONSE_NOT_FOUND(Kind.REQUEST, 400, "previous_response_not_found", "send the whole conversation as input"),
    UNAUTHORIZED(Kind.REQUEST, 401, "invalid_api_key", "run: darkbloom-agent local"),
    FORBIDDEN_HOST(Kind.REQUEST, 403, "forbidden_host", "ask by the address that the endpoint is bound to"),
    FORBIDDEN_ORIGIN(Kind.REQUEST, 403, "forbidden_origin", "add the origin to local.allowed_origins"),
    UNKNOWN_MODEL(Kind.REQUEST, 404, "model_not_found", "run: darkbloom-agent models list"),
    NOT_FOUND(Kind.REQUEST, 404, "not_found", "check the path"),
    METHOD_NOT_ALLOWED(Kind.REQUEST, 405, "method_not_allowed", "use the method that the path takes"),
    REQUEST_TIMEOUT(Kind.REQUEST, 408, "request_timeout", "send the request faster"),
    PAYLOAD_TOO_LARGE(Kind.REQUEST, 413, "payload_too_large", "send a smaller body"),
    HEADERS_TOO_LARGE(Kind.REQUEST, 431, "headers_too_large", "send fewer or shorter headers"),
    CANCELLED(Kind.REQUEST, 499, "cancelled", "nothing: the caller went away or cancelled"),

    QUEUE_FULL(Kind.CAPACITY, 503, "capacity", "try again later"),
    NO_KV_SPACE(Kind.CAPACITY, 503, "capacity", "try again later"),
    OUT_OF_MEMORY(Kind.CAPACITY, 503, "capacity", "unload a model, or start with a smaller --ctx-size or --parallel"),
    DEADLINE_EXCEEDED(Kind.CAPACITY, 503, "deadline_exceeded", "try again later"),
    DRAINING(Kind.CAPACITY, 503, "draining", "try again when the agent has restarted"),
    MODEL_UNAVAILABLE(Kind.CAPACITY, 503, "model_unavailable", "see the model's last error: darkbloom-agent status"),

    NATIVE_LIBRARY_MISSING(Kind.SETUP, 500, "internal_failure", "run: mvn -pl native package"),
    NATIVE_LIBRARY_MISMATCH(Kind.SETUP, 500, "internal_failure", "run: mvn -pl native clean package"),
    MODEL_MISSING(Kind.SETUP, 503, "model_unavailable", "run: darkbloom-agent models list"),
    MODEL_INVALID(Kind.SETUP, 503, "model_unavailable", "run: darkbloom-agent models inspect FILE"),
    CONFIG_INVALID(Kind.SETUP, 500, "internal_failure", "correct agent.toml"),
    SIGNING_KEY_INVALID(Kind.SETUP, 500, "internal_failure", "remove the key's file; the next start makes a new identity"),
    PORT_IN_USE(Kind.SETUP, 500, "internal_failure", "choose another --port"),
    ALREADY_RUNNING(Kind.SETUP, 500, "internal_failure", "run: darkbloom-agent stop"),
    NOT_RUNNING(Kind.SETUP, 500, "internal_failure", "run: darkbloom-agent start --local"),

    COORDINATOR_MISSING(Kind.SETUP, 500, "internal_failure", "run: darkbloom-agent config set coordinator.url ADDRESS"),
    DISK_FULL(Kind.SETUP, 500, "internal_failure", "make room on the disk, or lower coordinator.disk_reserve_gb"),
    LOGIN_FAILED(Kind.SETUP, 500, "internal_failure", "run: darkbloom-agent login"),

    COORDINATOR_UNREACHABLE(Kind.EXTERNAL, 502, "internal_failure", "check the network and coordinator.url"),
    BUILD_MISSING(Kind.EXTERNAL, 502, "internal_failure", "run: darkbloom-agent models catalog"),
    BUILD_INVALID(Kind.EXTERNAL, 502, "internal_failure", "tell the coordinator's operator, or bind a file: darkbloom-agent models add"),
    DOWNLOAD_FAILED(Kind.EXTERNAL, 502, "internal_failure", "try again; it goes on where it ended"),

    GENERATION_FAILED(Kind.INTERNAL, 500, "generation_failure", "try again; if it happens twice, report it"),
    DECODE_FATAL(Kind.INTERNAL, 500, "generation_failure", "try again; the context has been rebuilt"),
    INTERNAL(Kind.INTERNAL, 500, "internal_failure", "report it with the log");

    /** Who can help. */
    public enum Kind {
        /** The caller, by changing the request. */
        REQUEST("invalid_request_error"),
        /** Time, or another agent. */
        CAPACITY("server_error"),
        /** The other side of a network; we back off. */
        EXTERNAL("server_error"),
        /** The person who runs the agent. */
        SETUP("server_error"),
        /** Us. */
        INTERNAL("server_error");

        private final String wireType;

        Kind(String wireType) {
            this.wireType = wireType;
        }
    }

    private final Kind kind;
    private final int httpStatus;
    private final String wireCode;
    private final String remedy;

    ErrorCode(Kind kind, int httpStatus, String wireCode, String remedy) {
        this.kind = kind;
        this.httpStatus = httpStatus;
        this.wireCode = wireCode;
        this.remedy = remedy;
    }

    public Kind kind() {
        return kind;
    }

    public int httpStatus() {
        return httpStatus;
    }

    /** Returns the {@code error.code} of the OpenAI envelope. */
    public String wireCode() {
        return wireCode;
    }

    /** Returns the {@code error.type} of the OpenAI envelope. */
    public String wireType() {
        return this == UNAUTHORIZED ? "authentication_error" : kind.wireType;
    }

    /** Returns the {@code error.type} of the envelope of Anthropic's Messages API. */
    public String messagesType() {
        return switch (httpStatus) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 404 -> "not_found_error";
            case 413 -> "request_too_large";
            case 429 -> "rate_limit_error";
            case 503 -> "overloaded_error";
            default -> httpStatus < 500 ? "invalid_request_error" : "api_error";
        };
    }

    /** Returns what mends it, in a few words or as a command. */
    public String remedy() {
        return remedy;
    }

    /** Returns whether a client may send the same request again later. */
    public boolean isRetryable() {
        return kind == Kind.CAPACITY;
    }

    /** Returns the exit code of a command that ends with this error: 3 when no agent is running, otherwise 1. */
    public int exitCode() {
        return this == NOT_RUNNING ? 3 : 1;
    }
}
