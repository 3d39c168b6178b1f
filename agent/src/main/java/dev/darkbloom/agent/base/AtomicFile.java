package dev.darkbloom.agent.base;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;

/**
 * Writes the agent's files: readable by their owner only, and whole or not at all, whatever ends the process in between.
 *
 * <p>Any thread; of two writers of one file the later one wins.
 */
public final class AtomicFile {
    private static final Set<PosixFilePermission> OWNER_FILE = PosixFilePermissions.fromString("rw-------");
    private static final Set<PosixFilePermission> OWNER_DIRECTORY = PosixFilePermissions.fromString("rwx------");

    private AtomicFile() {}

    /** Replaces {@code target} by {@code text}, in UTF-8. */
    public static void write(Path target, String text) throws IOException {
        write(target, text.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Replaces {@code target} by {@code bytes}: temporary file beside it, {@code fsync}, rename, {@code fsync} of the directory. A symbolic
     * link stays one, what it points to is replaced.
     */
    public static void write(Path target, byte[] bytes) throws IOException {
        Path real = Files.isSymbolicLink(target) ? target.toRealPath() : target.toAbsolutePath();
        Path directory = real.getParent();
        Path temporary = Files.createTempFile(directory, "." + real.getFileName() + ".", ".tmp", ownerFile());
        try {
            try (var channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                var buffer = ByteBuffer.wrap(bytes);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.force(true);
            }
            Files.move(temporary, real, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (Throwable t) {
            Files.deleteIfExists(temporary);
            throw t;
        }
        try (var channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** Makes {@code directory} and what is missing above it, for the owner only; takes others' rights away from it if it exists. */
    public static void createDirectory(Path directory) throws IOException {
        if (Files.isDirectory(directory)) {
            if (!Files.getPosixFilePermissions(directory).equals(OWNER_DIRECTORY)) {
                Files.setPosixFilePermissions(directory, OWNER_DIRECTORY);
            }
            return;
        }
        Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(OWNER_DIRECTORY));
    }

    /** Takes others' rights away from {@code file}, which exists. */
    public static void restrictToOwner(Path file) throws IOException {
        if (!Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS).equals(OWNER_FILE)) {
            Files.setPosixFilePermissions(file, EnumSet.copyOf(OWNER_FILE));
        }
    }

    /** Returns the attribute with which a file of the agent is made: owner reads and writes, nobody else anything. */
    public static FileAttribute<Set<PosixFilePermission>> ownerFile() {
        return PosixFilePermissions.asFileAttribute(OWNER_FILE);
    }
}
