package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrustFileTest {
    private static final CoordinatorAddress ADDRESS = CoordinatorAddress.parse("wss://c.example");
    private static final Instant NOW = Instant.parse("2026-05-01T00:00:00Z");

    @TempDir
    Path folder;

    @Test
    void whatWasToldIsThereAfterARestartForItsOwnerOnly() throws IOException {
        var told = new LinkStatus.Trust("hardware", "untrusted", Optional.of("bad chunk\nnext"), NOW);
        open().keep(told);

        assertThat(open().latest()).contains(told);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file()))).isEqualTo("rw-------");
    }

    @Test
    void withoutAReasonThereIsNone() {
        var told = new LinkStatus.Trust("none", "online", Optional.empty(), NOW);
        open().keep(told);

        assertThat(open().latest()).contains(told);
    }

    @Test
    void theLaterWordStays() {
        TrustFile file = open();
        var later = new LinkStatus.Trust("hardware", "online", Optional.empty(), NOW);
        file.keep(later);
        file.keep(new LinkStatus.Trust("none", "online", Optional.empty(), NOW.minusSeconds(1)));

        assertThat(file.latest()).contains(later);
        assertThat(open().latest()).contains(later);
    }

    @Test
    void anotherCoordinatorsWordIsNotShown() {
        open().keep(new LinkStatus.Trust("hardware", "online", Optional.empty(), NOW));

        assertThat(TrustFile.open(file(), CoordinatorAddress.parse("wss://other.example")).latest()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "wss://c.example/ws/provider\nnone\nonline\nyesterday\n\n", "\n\n\n\n\n\n\n"})
    void aDamagedFileSaysNothing(String text) throws IOException {
        Files.writeString(file(), text);

        assertThat(open().latest()).isEmpty();
    }

    @Test
    void aFileThatIsNoTextSaysNothing() throws IOException {
        Files.write(file(), new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});

        assertThat(open().latest()).isEmpty();
    }

    private Path file() {
        return folder.resolve("trust");
    }

    private TrustFile open() {
        return TrustFile.open(file(), ADDRESS);
    }
}
