package dev.darkbloom.agent.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The programs of {@code src/test/sdk}, laid out below {@code target} with the packages that their lock file names.
 *
 * <p>npm installs the packages once per lock file. A build after {@code clean} takes them from npm's own cache.
 */
public final class SdkPrograms {
    private static final int OLDEST_NODE = 20;
    private static final String MEND = "install Node.js " + OLDEST_NODE + " or newer with npm: apt-get install nodejs npm, or brew install node";
    private static final Path SOURCE = Path.of(System.getProperty("darkbloom.project.root"), "agent", "src", "test", "sdk");
    private static final Path FOLDER = Path.of(System.getProperty("darkbloom.project.root"), "agent", "target", "sdk");

    private static boolean installed; // guarded by the class

    private SdkPrograms() {}

    /** Returns the folder that holds programs and {@code node_modules}; blocks while npm installs them. */
    public static synchronized Path installed() throws IOException, InterruptedException {
        if (installed) {
            return FOLDER;
        }
        Files.createDirectories(FOLDER);
        // Tests run in more than one process at a time.
        try (FileChannel channel = FileChannel.open(FOLDER.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock _ = channel.lock()) {
            checkNode();
            copySources();
            String wanted = hash(SOURCE.resolve("package-lock.json"));
            Path stamp = FOLDER.resolve(".installed");
            if (!Files.exists(stamp) || !Files.readString(stamp).equals(wanted)) {
                Files.deleteIfExists(stamp);
                Path log = FOLDER.resolve("npm.log");
                int code = run(List.of("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"), Map.of(), log, 300);
                if (code != 0) {
                    throw new AssertionError("npm ci ended with " + code + ": " + Files.readString(log));
                }
                Files.writeString(stamp, wanted);
            }
            installed = true;
        }
        return FOLDER;
    }

    private static void checkNode() throws IOException, InterruptedException {
        Path answer = Files.createTempFile("node", ".txt");
        try {
            if (run(List.of("node", "--version"), Map.of(), answer, 60) != 0) {
                throw new AssertionError("node does not run; " + MEND);
            }
            String version = Files.readString(answer).strip();
            if (Integer.parseInt(version.substring(1, version.indexOf('.'))) < OLDEST_NODE) {
                throw new AssertionError("node is " + version + "; " + MEND);
            }
        } finally {
            Files.delete(answer);
        }
    }

    /** Programs that were removed go too, so that none runs that is no longer there. */
    private static void copySources() throws IOException {
        try (Stream<Path> old = Files.list(FOLDER)) {
            for (Path file : old.filter(path -> path.toString().endsWith(".mjs") && !Files.exists(SOURCE.resolve(path.getFileName()))).toList()) {
                Files.delete(file);
            }
        }
        try (Stream<Path> files = Files.list(SOURCE)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = FOLDER.resolve(file.getFileName());
                if (!Files.exists(copy) || Files.mismatch(file, copy) >= 0) { // another process may be running it
                    Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
    }

    private static String hash(Path file) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns the programs that any agent can run, by file name. */
    public static List<String> names() throws IOException, InterruptedException {
        try (Stream<Path> files = Files.list(installed())) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".test.mjs")).sorted().toList();
        }
    }

    /**
     * Where a program finds the agent it asks.
     *
     * @param pid of the agent's process, for a program that stops it
     */
    public record Target(int port, String key, String model, long pid) {}

    /** Runs the tests of one program and returns what it reported. */
    public static TapReport run(String program, Target target) {
        try {
            Path folder = installed();
            Path output = folder.resolve(program + "-" + target.model() + ".tap");
            int code = run(List.of("node", "--test", "--test-reporter=tap", "--test-timeout=180000", program),
                    Map.of("DARKBLOOM_BASE_URL", "http://127.0.0.1:" + target.port(), "DARKBLOOM_API_KEY", target.key(),
                            "DARKBLOOM_MODEL", target.model(), "DARKBLOOM_PID", Long.toString(target.pid())),
                    output, 600);
            return TapReport.read(Files.readString(output), code);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted in " + program, e);
        }
    }

    /** Returns the exit code; the process and what it started are gone when this returns. */
    private static int run(List<String> command, Map<String, String> environment, Path output, int seconds) throws IOException, InterruptedException {
        var builder = new ProcessBuilder(new ArrayList<>(command)).redirectErrorStream(true).redirectOutput(output.toFile());
        if (Files.isDirectory(FOLDER)) {
            builder.directory(FOLDER.toFile());
        }
        builder.environment().putAll(environment);
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new AssertionError(command.getFirst() + " is missing; " + MEND, e);
        }
        try {
            if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
                throw new AssertionError(String.join(" ", command) + " did not end within " + seconds + " s: " + Files.readString(output));
            }
            return process.exitValue();
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }
}
