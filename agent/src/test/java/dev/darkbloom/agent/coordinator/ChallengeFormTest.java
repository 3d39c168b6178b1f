package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChallengeFormTest {
    private static final String NONCE = "7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcns=";
    private static final String TIME = "2026-05-01T00:00:00Z";

    @Test
    void thirtyTwoBytesAndATimeAreAChallenge() {
        assertThat(ChallengeForm.isProper(new AttestationChallenge(NONCE, TIME))).isTrue();
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "short", "12345678",
            "{\"authenticatedRootEnabled\":true,\"binaryHash",                   // the beginning of a blob, as long as a nonce
            "57a077b042fe9755f49ca9f1e5faf6d31ae0b63bf2847e2f297aeff6daf11935", // a response hash
            "7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcnt=",                      // bits behind the end
            "7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcnsA",                      // 33 bytes
            "7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcg==",                      // 31
            "7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVc_s=", "7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcns",
            " Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcns="})
    void anythingElseIsNoNonce(String nonce) {
        assertThat(ChallengeForm.isProper(new AttestationChallenge(nonce, TIME))).isFalse();
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "t", "2026-05-01", "2026-05-01T00:00:00", "2026-05-01T00:00:00.5Z", "2026-05-01T02:00:00+02:00",
            "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-05-01t00:00:00z", "2026-05-01T00:00:00Z\n", "2026-05-01T00:00:00Z{\"a\":1}"})
    void anythingElseIsNoTime(String time) {
        assertThat(ChallengeForm.isProper(new AttestationChallenge(NONCE, time))).isFalse();
    }
}
