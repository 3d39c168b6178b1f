package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.ExportedSymbols;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("native")
class SodiumTest {
    private static final Path LIBRARIES = Path.of(System.getProperty("darkbloom.native.lib"));

    @ParameterizedTest
    @ValueSource(strings = {"linux-x64/libsodium.so", "linux-arm64/libsodium.so", "mac-arm64/libsodium.dylib"})
    void everyFunctionThatWeCallIsExportedOnEveryPlatform(String file) throws IOException {
        assertThat(ExportedSymbols.of(LIBRARIES.resolveSibling("sodium").resolve(file))).containsAll(Sodium.SYMBOLS);
    }

    @Test
    void theMacsLibraryNeedsNothingButTheSystems() throws IOException {
        assertThat(ExportedSymbols.librariesNeededBy(LIBRARIES.resolveSibling("sodium").resolve("mac-arm64/libsodium.dylib")))
                .allSatisfy(needed -> assertThat(needed).startsWith("/usr/lib/"));
    }

    @Test
    void itIsLoadedOnce() {
        assertThat(Sodium.load()).isSameAs(Sodium.load());
    }

    @Test
    void aMissingFileIsNamed(@TempDir Path empty) {
        Path file = Sodium.file(empty.toString());

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> Sodium.load(file))
                .withMessageContaining(file.toString())
                .satisfies(refused -> assertThat(refused.code()).isEqualTo(ErrorCode.NATIVE_LIBRARY_MISSING));
    }

    @Test
    void aFileThatIsNoLibraryIsNamed(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("libsodium.so"), "no library");

        assertThatExceptionOfType(AgentException.class).isThrownBy(() -> Sodium.load(file))
                .withMessageContaining(file.toString())
                .satisfies(refused -> assertThat(refused.code()).isEqualTo(ErrorCode.NATIVE_LIBRARY_MISMATCH));
    }

    @Test
    void lockedMemoryEndsWithItsArena() {
        MemorySegment key;
        try (var arena = Arena.ofConfined()) {
            key = Sodium.load().allocateLocked(32, arena);
            Sodium.load().random(key, key.byteSize());
            MemorySegment other = arena.allocate(32);

            assertThat(key.byteSize()).isEqualTo(32);
            assertThat(Sodium.load().areEqual(key, other)).isFalse();
            other.copyFrom(key);
            assertThat(Sodium.load().areEqual(key, other)).isTrue();
        }

        assertThat(key.scope().isAlive()).isFalse();
    }
}
