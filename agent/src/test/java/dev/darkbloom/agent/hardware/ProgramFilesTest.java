package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProgramFilesTest {
    @TempDir
    Path directory;

    @Test
    void theHashIsThatOfNamesSizesAndContents() throws Exception {
        Path jar = write("lib/agent.jar", "jar");
        Path natives = write("native/mac/libllama.dylib", "library").getParent().getParent();

        var expected = MessageDigest.getInstance("SHA-256");
        for (String[] file : new String[][] {{"agent.jar", "jar"}, {"native/mac/libllama.dylib", "library"}}) {
            expected.update((file[0] + "\0").getBytes(StandardCharsets.UTF_8));
            expected.update(ByteBuffer.allocate(8).putLong(file[1].length()).array());
            expected.update(file[1].getBytes(StandardCharsets.UTF_8));
        }

        assertThat(new ProgramFiles(List.of(natives, jar)).sha256()).isEqualTo(HexFormat.of().formatHex(expected.digest()));
    }

    @Test
    void theLibrariesHashIsThatOfTheirHashesInTheOrderOfNames() throws Exception {
        Path natives = write("native/x/libb.so", "two").getParent();
        write("native/x/liba.v1.dylib", "one");
        write("native/x/LICENSE.liba", "no library");
        Path jar = write("lib/agent.jar", "jar");
        var program = new ProgramFiles(List.of(jar, natives));

        var expected = MessageDigest.getInstance("SHA-256");
        for (String content : List.of("one", "two")) {
            expected.update(MessageDigest.getInstance("SHA-256").digest(content.getBytes(StandardCharsets.UTF_8)));
        }
        String hash = HexFormat.of().formatHex(expected.digest());
        assertThat(program.librariesSha256()).contains(hash);
        write("native/x/LICENSE.liba", "another");
        assertThat(program.librariesSha256()).contains(hash);
        write("native/x/libb.so", "changed");
        assertThat(program.librariesSha256().orElseThrow()).isNotEqualTo(hash);
        assertThat(new ProgramFiles(List.of(jar)).librariesSha256()).isEmpty();
    }

    @Test
    void whereTheProgramLiesAndInWhatOrderItIsGivenDoNotCount() throws IOException {
        var here = new ProgramFiles(List.of(write("here/a.jar", "1"), write("here/b.jar", "2")));
        var there = new ProgramFiles(List.of(write("there/x/b.jar", "2"), write("there/y/a.jar", "1")));

        assertThat(here.sha256()).isEqualTo(there.sha256());
    }

    @Test
    void everyChangeCounts() throws IOException {
        Path file = write("p/a.jar", "one");
        var program = new ProgramFiles(List.of(directory.resolve("p")));
        String first = program.sha256();
        assertThat(program.sha256()).isEqualTo(first);

        write("p/a.jar", "two");
        Files.setLastModifiedTime(file, FileTime.from(Instant.EPOCH)); // however coarse the file system's clock is
        String second = program.sha256();
        assertThat(second).isNotEqualTo(first);

        write("p/b.jar", "");
        String third = program.sha256();
        assertThat(third).isNotEqualTo(second);

        Files.move(directory.resolve("p/b.jar"), directory.resolve("p/c.jar"));
        assertThat(program.sha256()).isNotIn(first, second, third);
    }

    @Test
    void aByteThatMovesFromOneFileToTheNextCounts() throws IOException {
        var one = new ProgramFiles(List.of(write("1/a", "ab"), write("1/b", "c")));
        var other = new ProgramFiles(List.of(write("2/a", "a"), write("2/b", "bc")));

        assertThat(one.sha256()).isNotEqualTo(other.sha256());
    }

    @Test
    void aFileThatIsGoneIsAnError() {
        assertThatThrownBy(() -> new ProgramFiles(List.of(directory.resolve("gone"))).sha256()).isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void thisProcessHasFiles() throws IOException {
        assertThat(ProgramFiles.ofThisProcess().sha256()).matches("[0-9a-f]{64}");
    }

    private Path write(String name, String text) {
        try {
            Path file = directory.resolve(name);
            Files.createDirectories(file.getParent());
            return Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
