package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Why a request failed, as {@code inference_error} says it (sections 4.6 and 9). An older coordinator shows {@code error} to the consumer
 * and takes {@code statusCode} as the response's; a newer one goes by the codes.
 *
 * @param error neutral: no content, no path, no internals
 * @param statusCode an HTTP status
 * @param attemptUsage tokens that were computed in vain; never billed
 * @param availableTokenBudget tokens that a request could have now; zero means something
 * @param feasibleAfterMs milliseconds until it would probably fit
 * @param capacitySeq the report that the decision came from
 */
public record Failure(String error, int statusCode, Optional<ErrorReason> errorReason, Optional<FailureCode> failureCode,
        Optional<TerminalCause> terminalCause, Optional<Usage> attemptUsage, Optional<RejectionReason> rejectionReason,
        OptionalLong availableTokenBudget, OptionalLong feasibleAfterMs, @JsonInclude(JsonInclude.Include.NON_DEFAULT) long capacitySeq) {
    private static final String DRAINING = "provider draining for update"; // newer coordinators read it as passing

    /** Returns a failure with its codes and nothing else. */
    public static Failure of(String error, int statusCode, FailureCode code, ErrorReason reason, TerminalCause cause) {
        return new Failure(error, statusCode, Optional.ofNullable(reason), Optional.of(code), Optional.ofNullable(cause), Optional.empty(),
                Optional.empty(), OptionalLong.empty(), OptionalLong.empty(), 0);
    }

    /** Returns the failure that {@code refused} is on the wire, by the table of section 9.4. */
    public static Failure of(AgentException refused) {
        ErrorCode code = refused.code();
        return switch (code) {
            case DRAINING -> of(DRAINING, 503, FailureCode.CAPACITY, ErrorReason.DRAINING, null);
            case QUEUE_FULL -> of(text(refused), 503, FailureCode.CAPACITY, ErrorReason.QUEUE_FULL, null);
            case NO_KV_SPACE -> of(text(refused), 503, FailureCode.CAPACITY, ErrorReason.TOKEN_BUDGET_EXHAUSTED, null);
            case OUT_OF_MEMORY -> of(text(refused), 503, FailureCode.CAPACITY, ErrorReason.REQUEST_EXCEEDS_NODE, null);
            case DEADLINE_EXCEEDED -> of(text(refused), 504, FailureCode.CAPACITY, ErrorReason.CAPACITY_TIMEOUT,
                    TerminalCause.SAFETY_DEADLINE);
            case CONTEXT_TOO_LONG -> of(text(refused), 400, FailureCode.INVALID_REQUEST, ErrorReason.REQUEST_EXCEEDS_CONTEXT, null);
            case TEMPLATE_FAILED -> of(text(refused), 400, FailureCode.TEMPLATE_RENDER, ErrorReason.JINJA_TEMPLATE, null);
            case UNSUPPORTED_MEDIA -> of(text(refused), 400, FailureCode.UNSUPPORTED_MEDIA, ErrorReason.CLIENT_ERROR, null);
            case PAYLOAD_TOO_LARGE -> of(text(refused), 413, FailureCode.INVALID_REQUEST, ErrorReason.CLIENT_ERROR, null);
            case ENCRYPTION_FAILED -> of(text(refused), 400, FailureCode.ENCRYPTION_FAILURE, ErrorReason.CLIENT_ERROR, null);
            case UNKNOWN_MODEL -> of(text(refused), 404, FailureCode.MODEL_UNAVAILABLE, null, null);
            case MODEL_UNAVAILABLE, MODEL_MISSING, MODEL_INVALID ->
                    of("the model cannot be loaded", 503, FailureCode.MODEL_UNAVAILABLE, ErrorReason.MODEL_LOAD, null);
            case CANCELLED -> of(text(refused), 499, FailureCode.CANCELLED, ErrorReason.CANCELLED, TerminalCause.CANCELLED);
            case INVALID_REQUEST, INVALID_JSON, UNSUPPORTED_PARAMETER, INVALID_GRAMMAR, INVALID_SCHEMA, EMBEDDINGS_NOT_CONFIGURED,
                    RERANK_NOT_CONFIGURED, PREVIOUS_RESPONSE_NOT_FOUND, UNAUTHORIZED, FORBIDDEN_HOST, FORBIDDEN_ORIGIN, NOT_FOUND,
                    METHOD_NOT_ALLOWED, REQUEST_TIMEOUT, HEADERS_TOO_LARGE ->
                    of(text(refused), code.httpStatus(), FailureCode.INVALID_REQUEST, ErrorReason.CLIENT_ERROR, null);
            case GENERATION_FAILED, DECODE_FATAL -> of("generation failed", 500, FailureCode.GENERATION_FAILURE, null,
                    TerminalCause.ENGINE_ERROR);
            case NATIVE_LIBRARY_MISSING, NATIVE_LIBRARY_MISMATCH, CONFIG_INVALID, COORDINATOR_MISSING, COORDINATOR_UNREACHABLE, LOGIN_FAILED,
                    BUILD_MISSING, BUILD_INVALID, DOWNLOAD_FAILED, DISK_FULL, SIGNING_KEY_INVALID, PORT_IN_USE, ALREADY_RUNNING, NOT_RUNNING, INTERNAL ->
                    of("internal failure", 500, FailureCode.INTERNAL_FAILURE, null, null);
        };
    }

    /** A refusal's own words name values and limits only; other kinds may name files of the machine and are not repeated. */
    private static String text(AgentException refused) {
        return refused.getMessage();
    }

    /** Returns which limit refused, where it was one of this node's that a coordinator can plan by. */
    public Optional<RejectionReason> limit() {
        return errorReason.filter(_ -> failureCode.equals(Optional.of(FailureCode.CAPACITY))).flatMap(reason -> switch (reason) {
            case DRAINING, QUEUE_FULL, CAPACITY_BUSY -> Optional.of(RejectionReason.SLOT_STATE);
            case TOKEN_BUDGET_EXHAUSTED, REQUEST_EXCEEDS_NODE_BUDGET, REQUEST_EXCEEDS_BATCH_TOKEN_BUDGET ->
                    Optional.of(RejectionReason.TOKEN_BUDGET);
            case REQUEST_EXCEEDS_NODE, MEDIA_MEMORY_UNAVAILABLE -> Optional.of(RejectionReason.MEMORY_CAP);
            case DEADLINE_UNREACHABLE -> Optional.of(RejectionReason.DEADLINE);
            case JINJA_CHANNEL_TAGS, JINJA_NULL_BRIDGE, JINJA_TEMPLATE, MODEL_LOAD, CAPACITY_TIMEOUT, REQUEST_EXCEEDS_CONTEXT, CANCELLED,
                    CLIENT_ERROR, TOOL_NONCOMPLIANCE -> Optional.empty();
        });
    }

    /**
     * Returns the same, with what a newer coordinator can plan by.
     *
     * @param tokenBudget empty where the model is not known
     * @param seq the latest report's; 0 before the first
     */
    public Failure withCapacity(RejectionReason reason, OptionalLong tokenBudget, OptionalLong feasibleAfterMs, long seq) {
        return new Failure(error, statusCode, errorReason, failureCode, terminalCause, attemptUsage, Optional.of(reason), tokenBudget,
                feasibleAfterMs, seq);
    }
}
