package dev.darkbloom.agent.hardware;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * This program's own files: the jars or directories of its class path and its native libraries. Java itself and the caches that are made on
 * each machine are no part of it, so that two machines with one release have one hash. Any thread.
 */
public final class ProgramFiles {
    /** What tells a changed file from an unchanged one without reading it. */
    private record Stamp(String name, Path path, long bytes, FileTime changed, Object key) {}

    /** {@code libllama.v0.4.0.so}, {@code libggml-base.dylib}. */
    private static final Pattern LIBRARY = Pattern.compile("/lib[^/]*\\.(so|dylib)$");

    private final List<Path> roots;
    private List<Stamp> hashedStamps = List.of(); // guarded by this
    private String hash = ""; // guarded by this; of hashedStamps
    private List<Stamp> librariesStamps = List.of(); // guarded by this
    private String librariesHash = ""; // guarded by this; of librariesStamps

    /** Takes files and directories; their own names count, where they lie does not. */
    ProgramFiles(List<Path> roots) {
        this.roots = List.copyOf(roots);
    }

    /** Returns the files that this process was started from. */
    static ProgramFiles ofThisProcess() {
        var roots = new ArrayList<Path>();
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).filter(entry -> !entry.isEmpty()).map(Path::of)
                .forEach(roots::add);
        String natives = System.getProperty("darkbloom.native.lib", "");
        if (!natives.isEmpty()) {
            roots.add(Path.of(natives));
        }
        return new ProgramFiles(roots.stream().filter(Files::exists).toList());
    }

    /**
     * Returns the SHA-256 over each file's name, size and content, files in the order of their names. A name is that of a file named
     * outright, or the path below the directory's name, with slashes; it and the size (8 bytes, big-endian) stand before the content, the
     * name ended by a zero. Files are read again only when one of them has changed, by size, time or inode.
     *
     * @return 64 hexadecimal digits
     */
    synchronized String sha256() throws IOException {
        List<Stamp> stamps = stamps();
        if (hash.isEmpty() || !stamps.equals(hashedStamps)) {
            hash = hash(stamps);
            hashedStamps = stamps;
        }
        return hash;
    }

    /**
     * Returns the hash of the native libraries among them, which is what computes: each one's SHA-256, in the order of their names, and
     * the SHA-256 over those 32 bytes each (as the provider protocol, 16.3, hashes a model's files). All of them count and not only those
     * that this machine's processor loads, so that machines with one release have one hash. Files are read again as for {@link #sha256}.
     *
     * @return 64 hexadecimal digits; empty where there are none
     */
    synchronized Optional<String> librariesSha256() throws IOException {
        List<Stamp> stamps = stamps().stream().filter(stamp -> LIBRARY.matcher(stamp.name()).find()).toList();
        if (stamps.isEmpty()) {
            return Optional.empty();
        }
        if (!stamps.equals(librariesStamps)) {
            MessageDigest digest = sha256Digest();
            for (Stamp stamp : stamps) {
                MessageDigest one = sha256Digest();
                update(one, stamp.path());
                digest.update(one.digest());
            }
            librariesHash = HexFormat.of().formatHex(digest.digest());
            librariesStamps = stamps;
        }
        return Optional.of(librariesHash);
    }

    private List<Stamp> stamps() throws IOException {
        var stamps = new ArrayList<Stamp>();
        for (Path root : roots) {
            Path above = root.toAbsolutePath().normalize().getParent();
            try (Stream<Path> all = Files.walk(root)) {
                for (Path file : all.filter(Files::isRegularFile).toList()) {
                    var attributes = Files.readAttributes(file, BasicFileAttributes.class);
                    String name = above.relativize(file.toAbsolutePath().normalize()).toString().replace(File.separatorChar, '/');
                    stamps.add(new Stamp(name, file, attributes.size(), attributes.lastModifiedTime(), attributes.fileKey()));
                }
            } catch (UncheckedIOException e) {
                throw e.getCause();
            }
        }
        stamps.sort(Comparator.comparing(Stamp::name).thenComparing(stamp -> stamp.path().toString()));
        return List.copyOf(stamps);
    }

    private static String hash(List<Stamp> stamps) throws IOException {
        MessageDigest digest = sha256Digest();
        var size = new byte[Long.BYTES];
        for (Stamp stamp : stamps) {
            digest.update(stamp.name().getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
            ByteBuffer.wrap(size).putLong(stamp.bytes());
            digest.update(size);
            update(digest, stamp.path());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void update(MessageDigest digest, Path file) throws IOException {
        var buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
    }

    private static MessageDigest sha256Digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
