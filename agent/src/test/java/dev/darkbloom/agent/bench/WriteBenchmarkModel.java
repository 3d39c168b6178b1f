package dev.darkbloom.agent.bench;

import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Writes {@link TinyModels#benchmark350M} to a file; {@code scripts/make-bench-model} runs it. */
final class WriteBenchmarkModel {
    private static final long SEED = 350;

    private WriteBenchmarkModel() {}

    /** Takes the file's path. It appears there whole or not at all. */
    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 1) {
            System.err.println("usage: WriteBenchmarkModel FILE");
            System.exit(2);
        }
        Path file = Path.of(arguments[0]).toAbsolutePath();
        Path part = Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
        try {
            TinyModels.benchmark350M(SEED).write(part);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }
}
