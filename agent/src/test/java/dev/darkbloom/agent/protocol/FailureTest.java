package dev.darkbloom.agent.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FailureTest {
    /** The table of section 9.4, as far as it follows from an error's code. */
    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
        "DRAINING, 503, CAPACITY, DRAINING, -",
        "QUEUE_FULL, 503, CAPACITY, QUEUE_FULL, -",
        "NO_KV_SPACE, 503, CAPACITY, TOKEN_BUDGET_EXHAUSTED, -",
        "OUT_OF_MEMORY, 503, CAPACITY, REQUEST_EXCEEDS_NODE, -",
        "CONTEXT_TOO_LONG, 400, INVALID_REQUEST, REQUEST_EXCEEDS_CONTEXT, -",
        "INVALID_JSON, 400, INVALID_REQUEST, CLIENT_ERROR, -",
        "INVALID_REQUEST, 400, INVALID_REQUEST, CLIENT_ERROR, -",
        "UNSUPPORTED_PARAMETER, 400, INVALID_REQUEST, CLIENT_ERROR, -",
        "TEMPLATE_FAILED, 400, TEMPLATE_RENDER, JINJA_TEMPLATE, -",
        "UNSUPPORTED_MEDIA, 400, UNSUPPORTED_MEDIA, CLIENT_ERROR, -",
        "ENCRYPTION_FAILED, 400, ENCRYPTION_FAILURE, CLIENT_ERROR, -",
        "UNKNOWN_MODEL, 404, MODEL_UNAVAILABLE, -, -",
        "PAYLOAD_TOO_LARGE, 413, INVALID_REQUEST, CLIENT_ERROR, -",
        "MODEL_UNAVAILABLE, 503, MODEL_UNAVAILABLE, MODEL_LOAD, -",
        "DECODE_FATAL, 500, GENERATION_FAILURE, -, ENGINE_ERROR",
        "DEADLINE_EXCEEDED, 504, CAPACITY, CAPACITY_TIMEOUT, SAFETY_DEADLINE",
        "INTERNAL, 500, INTERNAL_FAILURE, -, -"})
    void errorsHaveTheirCodesOnTheWire(ErrorCode code, int status, FailureCode failureCode, ErrorReason reason, TerminalCause cause) {
        Failure failure = Failure.of(new AgentException(code, "text"));

        assertThat(failure.statusCode()).isEqualTo(status);
        assertThat(failure.failureCode()).contains(failureCode);
        assertThat(failure.errorReason()).isEqualTo(Optional.ofNullable(reason));
        assertThat(failure.terminalCause()).isEqualTo(Optional.ofNullable(cause));
    }

    @ParameterizedTest
    @EnumSource(ErrorCode.class)
    void onlyRefusalsOfRequestsSpeakForThemselves(ErrorCode code) {
        Failure failure = Failure.of(new AgentException(code, "/home/canary"));

        assertThat(failure.error()).isNotEmpty();
        assertThat(failure.statusCode()).isBetween(400, 599);
        if (code.kind() == ErrorCode.Kind.SETUP || code.kind() == ErrorCode.Kind.INTERNAL || code.kind() == ErrorCode.Kind.EXTERNAL) {
            assertThat(failure.error()).doesNotContain("canary");
        }
    }

    @Test
    void aDrainingAgentSaysTheWordsThatAreReadAsPassing() {
        assertThat(Failure.of(new AgentException(ErrorCode.DRAINING, "x")).error()).isEqualTo("provider draining for update");
    }

    @Test
    void everyWordOfTheClosedSetsIsTheSpecifications() {
        assertThat(List.of(FailureCode.values())).extracting(FailureCode::word)
                .contains("invalid_request", "encryption_failure").hasSize(11);
        assertThat(List.of(ErrorReason.values())).extracting(ErrorReason::word).contains("request_exceeds_batch_token_budget").hasSize(18);
        assertThat(List.of(TerminalCause.values())).extracting(TerminalCause::word).contains("backpressure_timeout").hasSize(8);
        assertThat(List.of(RejectionReason.values())).extracting(RejectionReason::word).contains("kv_headroom").hasSize(7);
    }

    @Test
    void whatJsonHasNoNumberForIsRefusedWhereItIsMade() {
        assertThatIllegalArgumentException().isThrownBy(() -> new SystemMetrics(Double.NaN, 0, Optional.empty()));
        assertThatIllegalArgumentException().isThrownBy(() -> new HardwareReport("", "", "", "", 1, Double.POSITIVE_INFINITY, null, 1, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Usage(1, 1, 0, 0, 0, Optional.empty(), Optional.empty(),
                OptionalDouble.of(0 / 0.0)));
    }

    @Test
    void messagesThatAreOnlyReceivedAreNotWritten() {
        try (Content frame = Content.confined(16)) {
            assertThatIllegalArgumentException().isThrownBy(() -> new MessageEncoder().encode(new AgentMessage.Unknown("x"), frame));
            assertThatIllegalArgumentException().isThrownBy(() -> new MessageEncoder().encode(new CoordinatorMessage.Unknown("x"), frame));
        }
    }
}
