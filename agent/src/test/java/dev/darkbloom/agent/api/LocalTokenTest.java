package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalTokenTest {
    @TempDir
    private Path home;

    private Path file;

    @BeforeEach
    void locate() {
        file = home.resolve("local_token");
    }

    @Test
    void theFirstUseMakesAKeyForTheOwnerOnly() throws Exception {
        String key = LocalToken.readOrCreate(file).reveal();

        assertThat(key).matches("dk-local-[A-Za-z0-9_-]{43}");
        assertThat(Files.readString(file)).isEqualTo(key + "\n");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        assertThat(home).isDirectoryNotContaining(path -> !path.equals(file));
    }

    @Test
    void laterUsesReturnTheSameKey() {
        String key = LocalToken.readOrCreate(file).reveal();

        assertThat(LocalToken.readOrCreate(file).reveal()).isEqualTo(key);
        assertThat(LocalToken.readOrCreate(home.resolve("other")).reveal()).isNotEqualTo(key);
    }

    @Test
    void manyFirstUsesAtOnceAgreeOnOneKey() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Callable<String> use = () -> LocalToken.readOrCreate(file).reveal();
            var uses = threads.invokeAll(IntStream.range(0, 32).mapToObj(_ -> use).toList());
            assertThat(uses.stream().map(Future::resultNow).distinct()).hasSize(1);
        }
    }

    @Test
    void rightsOfOthersAreTakenAway() throws Exception {
        LocalToken.readOrCreate(file);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));

        LocalToken.readOrCreate(file);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
    }

    @Test
    void aFileThatHoldsSomethingElseIsNotReplacedAndNotQuoted() throws Exception {
        Files.writeString(file, "my-own-secret\n");

        assertThatThrownBy(() -> LocalToken.readOrCreate(file))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONFIG_INVALID))
                .hasMessageContaining(file.toString())
                .hasMessageNotContaining("my-own-secret");
        assertThat(Files.readString(file)).isEqualTo("my-own-secret\n");
    }

    @Test
    void readingAloneMakesNothing() throws Exception {
        assertThat(LocalToken.read(file)).isEmpty();
        assertThat(file).doesNotExist();
    }
}
