package dev.darkbloom.agent.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.protocol.AgentMessage.AttestationResponse;
import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The bytes that are signed, against the specification's vectors. */
class StatementsTest {
    private static final NodePosture NOTHING = new NodePosture(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());

    private static String canonical(StatusStatement statement) {
        return new String(statement.canonicalBytes(), StandardCharsets.UTF_8);
    }

    /** Stands for a signer: says what it was given. */
    private static String signer(byte[] bytes) {
        return "signed:" + new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void theSmallestStatementIsTheChallenge() {
        var statement = new StatusStatement("n", "t", NOTHING, Optional.empty(), Optional.empty(), RuntimeHashes.NONE, Map.of());

        assertThat(canonical(statement)).isEqualTo("{\"nonce\":\"n\",\"timestamp\":\"t\"}");
        assertThat(statement.challengeBytes()).asString().isEqualTo("nt");
    }

    @Test
    void theSpecificationsVectorHolds() throws Exception {
        var posture = new NodePosture(Optional.of(true), Optional.of(true), Optional.of(true), Optional.of(false));
        var statement = new StatusStatement("bm9uY2U=", "2026-05-01T00:00:00Z", posture, Optional.of(""), Optional.of("aa"),
                RuntimeHashes.NONE, Map.of("b", "2", "a", "1"));

        assertThat(canonical(statement)).isEqualTo("{\"active_model_hash\":\"aa\",\"hypervisor_active\":false,"
                + "\"model_hashes\":{\"a\":\"1\",\"b\":\"2\"},"
                + "\"nonce\":\"bm9uY2U=\",\"rdma_disabled\":true,\"secure_boot_enabled\":true,\"sip_enabled\":true,"
                + "\"timestamp\":\"2026-05-01T00:00:00Z\"}");
        assertThat(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(statement.canonicalBytes())))
                .isEqualTo("bd8bf1df83b238a5205344902c772503989a81a1515a7303c774217d190b4478");
    }

    @Test
    void everyMemberThatIsThereIsSigned() {
        var hashes = new RuntimeHashes(Optional.of("p"), Optional.of("r"), Map.of("z", "1", "a/b.c", "2"));
        var statement = new StatusStatement("n", "t", new NodePosture(Optional.of(false), Optional.empty(), Optional.of(false),
                Optional.empty()), Optional.of("b"), Optional.empty(), hashes, Map.of());

        assertThat(canonical(statement)).isEqualTo("{\"binary_hash\":\"b\",\"nonce\":\"n\",\"python_hash\":\"p\",\"rdma_disabled\":false,"
                + "\"runtime_hash\":\"r\",\"sip_enabled\":false,\"template_hashes\":{\"a/b.c\":\"2\",\"z\":\"1\"},\"timestamp\":\"t\"}");
    }

    @Test
    void whoChecksAnAnswerFindsTheBytesThatWereSigned() {
        var challenge = new AttestationChallenge("7Rb61lDW350XTJtOGkHu2KJ21Pt98GlRArqqlNTVcns=", "2026-05-01T00:00:00Z");
        var posture = new NodePosture(Optional.of(true), Optional.of(false), Optional.empty(), Optional.of(true));
        var statement = new StatusStatement(challenge.nonce(), challenge.timestamp(), posture, Optional.of("b"), Optional.of("m"),
                new RuntimeHashes(Optional.empty(), Optional.of("r"), Map.of("t", "h")), Map.of("gguf/a", "1"));

        AttestationResponse response = statement.signed("key", StatementsTest::signer);

        assertThat(response.nonce()).isEqualTo(challenge.nonce());
        assertThat(response.publicKey()).isEqualTo("key");
        assertThat(response.signature()).isEqualTo("signed:" + challenge.nonce() + challenge.timestamp());
        assertThat(response.statusSignature()).contains("signed:" + canonical(StatusStatement.of(challenge, response)));
    }

    @Test
    void textIsEscapedAsGoDoes() {
        // What Go 1.26's json.Marshal writes for these strings.
        assertThat(CanonicalJson.of(Map.of("k", "<a>&\"\\\b\f\n\r\t\u0001\u001f\u007f\u2028\u2029é\uD83C\uDF31/"))).isEqualTo(
                "{\"k\":\"\\u003ca\\u003e\\u0026\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\u007f\\u2028\\u2029é\uD83C\uDF31/\"}");
    }

    @Test
    void namesAreOrderedByCodePoints() {
        assertThat(CanonicalJson.of(Map.of("\uFFFD", "1", "\uD83C\uDF31", "2", "a", "3", "B", "4", "aa", "5")))
                .isEqualTo("{\"B\":\"4\",\"a\":\"3\",\"aa\":\"5\",\"\uFFFD\":\"1\",\"\uD83C\uDF31\":\"2\"}");
    }

    @Test
    void anAttestationIsSignedOverTheTextThatTravels() {
        var blob = new AttestationBlob(true, Optional.of("bb"), "Apple M4", Optional.of("key"), "Mac16,6", Optional.empty(), "15.4", "p256",
                true, true, false, Optional.of("C02"), true, Optional.empty(), "2026-05-01T00:00:00Z");

        SignedAttestation signed = SignedAttestation.sign(blob, StatementsTest::signer);

        assertThat(signed.statement()).isEqualTo("{\"authenticatedRootEnabled\":true,\"binaryHash\":\"bb\",\"chipName\":\"Apple M4\","
                + "\"encryptionPublicKey\":\"key\",\"hardwareModel\":\"Mac16,6\",\"osVersion\":\"15.4\",\"publicKey\":\"p256\","
                + "\"rdmaDisabled\":true,"
                + "\"secureBootEnabled\":true,\"secureEnclaveAvailable\":false,\"serialNumber\":\"C02\",\"sipEnabled\":true,"
                + "\"timestamp\":\"2026-05-01T00:00:00Z\"}");
        assertThat(signed.signature()).isEqualTo("signed:" + signed.statement());
        assertThat(signed.signedBytes()).asString().isEqualTo(signed.statement());
        assertThat(signed.blob()).isEqualTo(blob);
    }
}
