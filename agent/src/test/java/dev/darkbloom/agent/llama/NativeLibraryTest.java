package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is looked at before anything is loaded: files of the right machine and of the right release, or one message that mends it. */
class NativeLibraryTest {
    private static final Platform PLATFORM = Platform.LINUX_X64;
    private static final int EM_X86_64 = 62;
    private static final int EM_AARCH64 = 183;

    @TempDir
    Path directory;

    @BeforeEach
    void writeAWholeSet() throws IOException {
        for (String name : PLATFORM.libraries()) {
            Files.write(directory.resolve(name), elf(EM_X86_64));
        }
        Files.write(directory.resolve(PLATFORM.shim()), elf(EM_X86_64));
        Files.writeString(directory.resolve("build.properties"), "llama.tag=" + NativeLibrary.LLAMA_TAG + "\n");
    }

    private static byte[] elf(int machine) {
        return ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 0x464c457f).putShort(18, (short) machine).array();
    }

    private AgentException refusal() {
        return catchThrowableOfType(AgentException.class, () -> NativeLibrary.check(directory, PLATFORM));
    }

    @Test
    void aWholeSetIsAccepted() {
        assertThat(refusal()).isNull();
    }

    @Test
    void aMissingLibraryIsNamedWithWhatIsWantedAndTheCommandThatMendsIt() throws IOException {
        Path missing = directory.resolve(PLATFORM.libraries().getFirst());
        Files.delete(missing);

        assertThat(refusal().code()).isEqualTo(ErrorCode.NATIVE_LIBRARY_MISSING);
        assertThat(refusal()).hasMessageContainingAll(missing.toString(), "found no such file", "wanted a library for Linux x64", "run: mvn");
    }

    @Test
    void aMissingShimIsNamedToo() throws IOException {
        Files.delete(directory.resolve(PLATFORM.shim()));

        assertThat(refusal()).hasMessageContaining(PLATFORM.shim());
    }

    @Test
    void aLibraryForAnotherMachineIsRefusedWithBothMachines() throws IOException {
        Path wrong = directory.resolve(PLATFORM.libraries().getLast());
        Files.write(wrong, elf(EM_AARCH64));

        assertThat(refusal().code()).isEqualTo(ErrorCode.NATIVE_LIBRARY_MISMATCH);
        assertThat(refusal()).hasMessageContainingAll(wrong.toString(), "found Linux arm64", "wanted Linux x64", "run: mvn");
    }

    @Test
    void aLibraryOfAMacIsRefusedOnLinux() throws IOException {
        byte[] machO = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putInt(0xfeedfacf).putInt(0x0100000c).array();
        Files.write(directory.resolve(PLATFORM.shim()), machO);

        assertThat(refusal()).hasMessageContaining("found macOS arm64");
    }

    @Test
    void aFileThatIsNoLibraryIsRefused() throws IOException {
        Files.writeString(directory.resolve(PLATFORM.shim()), "hello");

        assertThat(refusal()).hasMessageContaining("found no shared library");
    }

    @Test
    void librariesOfAnotherReleaseAreRefusedWithBothReleases() throws IOException {
        Files.writeString(directory.resolve("build.properties"), "llama.tag=v0.5.0\n");

        assertThat(refusal().code()).isEqualTo(ErrorCode.NATIVE_LIBRARY_MISMATCH);
        assertThat(refusal()).hasMessageContainingAll("found llama.cpp v0.5.0", "wanted llama.cpp " + NativeLibrary.LLAMA_TAG, "run: mvn");
    }

    @Test
    void withoutAnyConfiguredDirectoryTheMessageNamesTheLauncher() {
        String configured = System.clearProperty(NativeLibrary.DIRECTORY_PROPERTY);
        try {
            assertThatThrownBy(NativeLibrary::load).isInstanceOf(AgentException.class).hasMessageContaining("scripts/darkbloom-agent");
        } finally {
            if (configured != null) {
                System.setProperty(NativeLibrary.DIRECTORY_PROPERTY, configured);
            }
        }
    }
}
