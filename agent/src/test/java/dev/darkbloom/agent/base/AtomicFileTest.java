package dev.darkbloom.agent.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir
    Path directory;

    @Test
    void aWrittenFileIsReadableByItsOwnerOnlyAndLeavesNothingBeside() throws IOException {
        Path file = directory.resolve("token");

        AtomicFile.write(file, "first");
        AtomicFile.write(file, "second");

        assertThat(file).hasContent("second");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        assertThat(directory).isDirectoryNotContaining(path -> !path.equals(file));
    }

    @Test
    void aSymbolicLinkStaysALink() throws IOException {
        Path real = Files.createDirectory(directory.resolve("dotfiles")).resolve("agent.toml");
        Files.writeString(real, "old");
        Path link = Files.createSymbolicLink(directory.resolve("agent.toml"), real);

        AtomicFile.write(link, "new");

        assertThat(link).isSymbolicLink();
        assertThat(real).hasContent("new");
    }

    @Test
    void aFailedWriteLeavesTheOldFileAndNoTemporaryOne() throws IOException {
        Path blocked = Files.createDirectories(directory.resolve("file/inside")).getParent();

        assertThatThrownBy(() -> AtomicFile.write(blocked, "text")).isInstanceOf(IOException.class);

        assertThat(directory).isDirectoryNotContaining(path -> path.getFileName().toString().endsWith(".tmp"));
    }

    @Test
    void aDirectoryThatOthersMayReadIsClosedToThem() throws IOException {
        Path open = Files.createDirectory(directory.resolve("home"), PosixFilePermissions.asFileAttribute(
                PosixFilePermissions.fromString("rwxr-xr-x")));

        AtomicFile.createDirectory(open);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(open))).isEqualTo("rwx------");
    }
}
