package dev.darkbloom.agent.hardware;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * What Linux says of itself in small files. Whatever is missing, forbidden or no text is empty; containers lack much of it.
 *
 * @param root the directory that holds {@code proc}, {@code sys} and {@code etc}
 */
record LinuxFiles(Path root) {
    /** Returns a file's text without the blanks at its ends, unless nothing is left. */
    Optional<String> text(String path) {
        try {
            // Device trees end their texts with a zero.
            return Optional.of(Files.readString(root.resolve(path)).replace("\0", "").strip()).filter(text -> !text.isEmpty());
        } catch (IOException _) {
            return Optional.empty();
        }
    }

    /** Returns a file's bytes. */
    Optional<byte[]> bytes(String path) {
        try {
            return Optional.of(Files.readAllBytes(root.resolve(path)));
        } catch (IOException _) {
            return Optional.empty();
        }
    }

    /** Returns a file's whole number. */
    OptionalLong number(String path) {
        return text(path).map(LinuxFiles::parse).orElse(OptionalLong.empty());
    }

    private static OptionalLong parse(String text) {
        try {
            return OptionalLong.of(Long.parseLong(text));
        } catch (NumberFormatException _) {
            return OptionalLong.empty();
        }
    }

    /** Returns the value of the first line {@code name: value}, as {@code /proc} writes them. */
    Optional<String> value(String path, String name) {
        return text(path).flatMap(text -> text.lines().map(line -> line.split(":", 2))
                .filter(parts -> parts.length == 2 && parts[0].strip().equals(name)).map(parts -> parts[1].strip()).findFirst());
    }

    /** Returns the names in a directory that match, sorted; none where there is no such directory. */
    List<String> names(String directory, String pattern) {
        try (Stream<Path> all = Files.list(root.resolve(directory))) {
            return all.map(path -> path.getFileName().toString()).filter(name -> name.matches(pattern)).sorted().toList();
        } catch (IOException _) {
            return List.of();
        }
    }

    boolean exists(String path) {
        return Files.exists(root.resolve(path));
    }
}
