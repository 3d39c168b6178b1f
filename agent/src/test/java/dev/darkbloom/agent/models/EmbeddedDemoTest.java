package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedDemoTest {
    @TempDir
    private Path folder;

    @Test
    void theDemoIsWrittenForItsOwnerAloneAndUnderItsId() throws IOException {
        Path cache = folder.resolve("a/b");

        Path demo = EmbeddedDemo.extract(cache);

        assertThat(ModelStore.ofPath(demo).orElseThrow().id()).isEqualTo(EmbeddedDemo.ID);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(demo))).isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(cache))).isEqualTo("rwx------");
        try (var files = Files.list(cache)) {
            assertThat(files).containsExactly(demo);
        }
    }

    @Test
    void aRightFileIsLeftAlone() throws IOException {
        Path demo = EmbeddedDemo.extract(folder);
        FileTime old = FileTime.from(Instant.EPOCH);
        Files.setLastModifiedTime(demo, old);

        EmbeddedDemo.extract(folder);

        assertThat(Files.getLastModifiedTime(demo)).isEqualTo(old);
    }

    @Test
    void aDamagedFileIsReplaced() throws IOException {
        Path demo = EmbeddedDemo.extract(folder);
        byte[] right = Files.readAllBytes(demo);
        byte[] damaged = right.clone();
        damaged[right.length - 1] ^= 1;
        Files.write(demo, damaged);

        EmbeddedDemo.extract(folder);

        assertThat(Files.readAllBytes(demo)).isEqualTo(right);
    }
}
