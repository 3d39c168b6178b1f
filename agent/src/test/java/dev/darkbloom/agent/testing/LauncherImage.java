package dev.darkbloom.agent.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/** The directory that the agent is installed in, with the classes under test in it. */
public final class LauncherImage {
    private LauncherImage() {}

    /** Lays out {@code image}, an empty directory, as packaging does it; returns the launcher in it. */
    public static Path layOut(Path image) throws IOException {
        Path project = Path.of(System.getProperty("darkbloom.project.root"));
        Path bin = Files.createDirectories(image.resolve("bin"));
        Path lib = Files.createDirectories(image.resolve("lib"));
        Path launcher = Files.copy(project.resolve("packaging/darkbloom-agent"), bin.resolve("darkbloom-agent"));
        Files.copy(project.resolve("packaging/make-aot-cache"), bin.resolve("make-aot-cache"));
        Files.copy(project.resolve("scripts/find-jdk"), bin.resolve("find-jdk"));
        copy(Path.of(System.getProperty("darkbloom.native.lib")), image.resolve("native"));
        int number = 0;
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path jar = lib.resolve(String.format("%03d.jar", number++));
            if (Files.isDirectory(Path.of(entry))) {
                pack(Path.of(entry), jar);
            } else if (Files.exists(Path.of(entry))) {
                Files.copy(Path.of(entry), jar);
            }
        }
        return launcher;
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file)));
            }
        }
    }

    private static void pack(Path classes, Path jar) {
        var messages = new StringWriter();
        int exitCode = ToolProvider.findFirst("jar").orElseThrow().run(new PrintWriter(messages), new PrintWriter(messages),
                "--create", "--file", jar.toString(), "-C", classes.toString(), ".");
        assertThat(exitCode).as(messages.toString()).isZero();
    }
}
