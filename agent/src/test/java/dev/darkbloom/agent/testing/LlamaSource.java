package dev.darkbloom.agent.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The source tree of the pinned llama.cpp release, which {@code native/fetch} keeps in the user's cache. */
public final class LlamaSource {
    private LlamaSource() {}

    /** Returns one of its files; fails when the tree is not there, since the build fetches it. */
    public static Path file(String path) throws IOException, InterruptedException {
        Process where = new ProcessBuilder("bash", Path.of(System.getProperty("darkbloom.project.root"), "native", "fetch").toString(), "--where")
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String release = new String(where.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (where.waitFor() != 0) {
            throw new AssertionError("native/fetch --where ended with " + where.exitValue());
        }
        Path file = Path.of(release, "source").resolve(path);
        if (!Files.isRegularFile(file)) {
            throw new AssertionError(file + " is missing; run native/fetch source");
        }
        return file;
    }
}
