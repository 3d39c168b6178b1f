package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.ByteSearch;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The Java heap of another process, written to a file. */
final class HeapDump {
    private static final ByteSearch OURS = new ByteSearch("darkbloom");

    private HeapDump() {}

    /** Writes all of a process's heap to {@code file}, what is garbage already included. */
    static void write(long pid, Path file) throws IOException, InterruptedException {
        Process jcmd = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), Long.toString(pid), "GC.heap_dump",
                "-all", file.toString()).redirectErrorStream(true).start();
        String said = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(jcmd.waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(jcmd.exitValue()).as(said).isZero();
        assertThat(OURS.inFile(file)).as("the dump can be searched").isNotEmpty();
    }

    /** Dumps a process's heap to {@code file}, searches it, and deletes the file. */
    static Map<String, List<String>> search(long pid, Path file, ByteSearch search) throws IOException, InterruptedException {
        write(pid, file);
        try {
            return search.inFile(file);
        } finally {
            Files.delete(file);
        }
    }
}
