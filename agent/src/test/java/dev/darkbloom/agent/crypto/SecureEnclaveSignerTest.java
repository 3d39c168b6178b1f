package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.Signature;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The calls of the enclave's signer against a twin of Apple's frameworks. */
class SecureEnclaveSignerTest {
    private static final byte[] STATEMENT = "nonce2026-05-01T00:00:00Z".getBytes(StandardCharsets.UTF_8);

    @TempDir
    Path directory;

    private final Map<String, KeyPair> enclave = new HashMap<>();
    private Arena arena;
    private Path file;

    @BeforeEach
    void begin() {
        arena = Arena.ofShared();
        file = directory.resolve("enclave_key");
    }

    @AfterEach
    void end() {
        arena.close();
    }

    /** A machine with an enclave, started anew: what the enclave holds is there, what the process held is not. */
    private FakeSecurityFramework mac() {
        return new FakeSecurityFramework(arena, enclave, true);
    }

    private DeviceSigner open(FakeSecurityFramework machine) {
        return SecureEnclaveSigner.open(new SecurityFramework(machine), file).orElseThrow();
    }

    private static boolean verifies(KeyPair pair, String signed) throws Exception {
        var signature = Signature.getInstance("SHA256withECDSA");
        signature.initVerify(pair.getPublic());
        signature.update(STATEMENT);
        return signature.verify(Base64.getDecoder().decode(signed));
    }

    @Test
    void aKeyIsMadeKeptAndFoundAgain() throws Exception {
        DeviceSigner first = open(mac());
        DeviceSigner second = open(mac());

        assertThat(enclave).hasSize(1);
        assertThat(second.publicKey()).isEqualTo(first.publicKey());
        assertThat(Base64.getDecoder().decode(first.publicKey())).hasSize(64);
        assertThat(first.isInSecureEnclave()).isTrue();
        assertThat(verifies(enclave.get("sealed-0"), first.sign(STATEMENT))).isTrue();
        assertThat(verifies(enclave.get("sealed-0"), second.sign(STATEMENT))).isTrue();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
    }

    @Test
    void nothingIsLeftInTheFrameworksButTheKey() {
        FakeSecurityFramework machine = mac();
        DeviceSigner signer = open(machine);
        assertThat(machine.alive()).isEqualTo(1);
        for (int i = 0; i < 10; i++) {
            signer.sign(STATEMENT);
        }
        assertThat(machine.alive()).isEqualTo(1);

        FakeSecurityFramework again = mac();
        open(again).sign(STATEMENT);
        assertThat(again.alive()).isEqualTo(1);
    }

    @Test
    void aMachineWithoutAnEnclaveHasNoSuchSigner() {
        var machine = new FakeSecurityFramework(arena, enclave, false);

        assertThat(SecureEnclaveSigner.open(new SecurityFramework(machine), file)).isEmpty();
        assertThat(file).doesNotExist();
        assertThat(machine.alive()).isZero();
    }

    @Test
    @DisabledOnOs(OS.MAC) // there this would make a key in the enclave of whoever runs the tests
    void elsewhereThanOnAMacThereIsNone() {
        assertThat(SecureEnclaveSigner.open(file)).isEmpty();
    }

    @Test
    void aKeyOfAnotherMachineIsNotReplacedInSilence() throws Exception {
        open(mac());
        List<String> kept = Files.readAllLines(file);
        enclave.clear();
        FakeSecurityFramework other = mac();

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> open(other))
                .withMessageContaining(file.toString()).withMessageContaining("-50")
                .satisfies(refused -> assertThat(refused.code()).isEqualTo(ErrorCode.SIGNING_KEY_INVALID));
        assertThat(Files.readAllLines(file)).isEqualTo(kept);
        assertThat(other.alive()).isZero();
    }

    @Test
    void aKeyThatIsNotTheOneOfTheFileIsRefused() throws Exception {
        open(mac());
        String sealed = Files.readAllLines(file).getFirst();
        Files.delete(file);
        open(mac());
        Files.writeString(file, sealed + "\n" + Files.readAllLines(file).getLast() + "\n");

        FakeSecurityFramework machine = mac();

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> open(machine));
        assertThat(machine.alive()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "AAAA\n", "canary!\ncanary!\n", "AAAA\nAAAA\nAAAA\n"})
    void aFileWithSomethingElseIsNamedAndNotQuoted(String text) throws Exception {
        Files.writeString(file, text);

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> open(mac()))
                .withMessageContaining(file.toString()).withMessageNotContaining("canary");
    }
}
