package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class LinkEndTest {
    @ParameterizedTest
    @CsvSource({
        "400, NOT_A_COORDINATOR, NOT_A_COORDINATOR", "401, UNAUTHORIZED, UNAUTHORIZED", "403, UNAUTHORIZED, UNAUTHORIZED",
        "404, NOT_A_COORDINATOR, NOT_A_COORDINATOR", "426, OUTDATED, OUTDATED", "429, BUSY, WAITING", "500, BUSY, WAITING",
        "502, BUSY, WAITING", "503, BUSY, WAITING", "200, NOT_A_COORDINATOR, NOT_A_COORDINATOR", "302, NOT_A_COORDINATOR, NOT_A_COORDINATOR",
    })
    void aStatusInPlaceOfTheHandshakeLeadsToANamedState(int status, LinkEnd.Kind kind, LinkState state) {
        var end = LinkEnd.ofStatus(status);

        assertThat(end.kind()).isEqualTo(kind);
        assertThat(end.kind().state()).isEqualTo(state);
        assertThat(end.detail()).contains(Integer.toString(status));
    }

    @ParameterizedTest
    @CsvSource({
        "1000, goodbye, CLOSED", "1000, replaced by new connection from same device, REPLACED", "1006, '', LOST", "1008, no, VIOLATION",
        "1009, read limited at 10485761 bytes, VIOLATION", "1012, '', BUSY", "1013, later, BUSY", "1011, '', CLOSED", "4000, x, CLOSED", "1002, '', VIOLATION",
    })
    void aCloseCodeHasAMeaning(int code, String reason, LinkEnd.Kind kind) {
        assertThat(LinkEnd.ofClose(code, reason).kind()).isEqualTo(kind);
    }

    @Test
    void theOtherSidesTextIsShortAndPlain() {
        var end = LinkEnd.ofClose(1000, "a\nb\u001b[31m" + "x".repeat(500));

        assertThat(end.detail()).hasSizeLessThan(230).startsWith("closed with 1000 a?b?[31mxxx").doesNotContain("\n");
    }

    @ParameterizedTest
    @EnumSource(LinkEnd.Kind.class)
    void everyStateThatOnlyAPersonCanMendSaysHow(LinkEnd.Kind kind) {
        assertThat(kind.state().advice()).isNotBlank();
        assertThat(kind.needsPerson()).isEqualTo(!kind.state().equals(LinkState.WAITING) && !kind.state().equals(LinkState.STOPPED));
    }
}
