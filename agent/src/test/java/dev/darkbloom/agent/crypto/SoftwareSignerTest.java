package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.AlgorithmParameters;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SoftwareSignerTest {
    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void nameTheFile() {
        file = directory.resolve("device_key");
    }

    /** The key as a coordinator makes it from the 64 bytes of the attestation. */
    private static PublicKey key(String raw) throws Exception {
        byte[] bytes = Base64.getDecoder().decode(raw);
        assertThat(bytes).hasSize(64);
        var parameters = AlgorithmParameters.getInstance("EC");
        parameters.init(new ECGenParameterSpec("secp256r1"));
        var point = new ECPoint(new BigInteger(1, Arrays.copyOf(bytes, 32)), new BigInteger(1, Arrays.copyOfRange(bytes, 32, 64)));
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, parameters.getParameterSpec(ECParameterSpec.class)));
    }

    private static boolean verifies(DeviceSigner signer, String statement, String signed) throws Exception {
        var signature = Signature.getInstance("SHA256withECDSA");
        signature.initVerify(key(signer.publicKey()));
        signature.update(statement.getBytes(StandardCharsets.UTF_8));
        return signature.verify(Base64.getDecoder().decode(signed));
    }

    private void write(KeyPair pair) throws IOException {
        var encoder = Base64.getEncoder();
        Files.writeString(file, encoder.encodeToString(pair.getPrivate().getEncoded()) + "\n"
                + encoder.encodeToString(pair.getPublic().getEncoded()) + "\n");
    }

    private void signAndVerify() throws Exception {
        var signer = SoftwareSigner.open(file);

        String signed = signer.sign("nonce2026-05-01T00:00:00Z".getBytes(StandardCharsets.UTF_8));

        assertThat(verifies(signer, "nonce2026-05-01T00:00:00Z", signed)).isTrue();
        assertThat(verifies(signer, "nonce2026-05-01T00:00:01Z", signed)).isFalse();
    }

    @Test
    void signaturesVerifyWithTheKeyOfTheAttestation() throws Exception {
        signAndVerify();
    }

    @Test
    void aCoordinateThatBeginsWithAZeroKeepsItsPlace() throws Exception {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();
        while (((ECPublicKey) pair.getPublic()).getW().getAffineX().bitLength() > 248) { // one key in 256
            pair = generator.generateKeyPair();
        }
        write(pair);

        signAndVerify();
    }

    @Test
    void theIdentityOutlivesTheProcessInAFileOfItsOwnerOnly() throws Exception {
        var first = SoftwareSigner.open(file);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        var second = SoftwareSigner.open(file);

        assertThat(second.publicKey()).isEqualTo(first.publicKey());
        assertThat(verifies(first, "text", second.sign("text".getBytes(StandardCharsets.UTF_8)))).isTrue();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        assertThat(second.isInSecureEnclave()).isFalse();
        assertThat(second.toString()).doesNotContain(Files.readAllLines(file).getFirst());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n\n", "secret-canary\nsecret-canary\n", "AAAA\nAAAA\n", "AAAA\n", "\u0000\u0001"})
    void aFileWithSomethingElseIsNamedAndNotQuoted(String text) throws Exception {
        Files.writeString(file, text);

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> SoftwareSigner.open(file))
                .withMessageContaining(file.toString())
                .withMessageNotContaining("canary")
                .withNoCause()
                .satisfies(refused -> assertThat(refused.code()).isEqualTo(ErrorCode.SIGNING_KEY_INVALID));
        assertThat(Files.readString(file)).isEqualTo(text);
    }

    @Test
    void halvesOfTwoKeysAreRefused() throws Exception {
        SoftwareSigner.open(file);
        Path other = directory.resolve("other");
        SoftwareSigner.open(other);
        Files.writeString(file, Files.readAllLines(file).getFirst() + "\n" + Files.readAllLines(other).getLast() + "\n");

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> SoftwareSigner.open(file));
    }

    @Test
    void aKeyOfAnotherCurveIsRefused() throws Exception {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp384r1"));
        write(generator.generateKeyPair());

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> SoftwareSigner.open(file));
    }

    @Test
    void aFileThatCannotBeWrittenIsNamed() {
        Path missing = directory.resolve("no-such-directory").resolve("key");

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> SoftwareSigner.open(missing))
                .withMessageContaining(missing.toString());
    }
}
