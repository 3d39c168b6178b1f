package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The demo model that travels inside the program: a chat model of 1.9 million weights that needs no download. */
public final class EmbeddedDemo {
    /** The model's id; {@code --model demo}. */
    public static final String ID = "demo";

    /** Digest of the embedded file. */
    static final String SHA256 = "86ec01621705ee2ec1e4a25bb8d4593be974879611dba4891673897c7427a7ab";

    static final String FILE_NAME = ID + ModelFileName.EXTENSION;
    private static final String RESOURCE = "bloom-demo.gguf";

    private EmbeddedDemo() {}

    /**
     * Returns the demo model as a file below {@code cache}, which it writes unless a right one is there.
     *
     * <p>The file appears whole or not at all and belongs to its owner alone; two processes may do this at once. A file whose digest
     * differs is replaced.
     *
     * @param cache a folder of our own, made if it is missing; afterwards its mode is 0700
     * @throws AgentException {@code INTERNAL} when the folder cannot be written or the embedded model is damaged
     */
    public static Path extract(Path cache) {
        Path target = cache.resolve(FILE_NAME);
        try {
            if (isRight(target)) {
                return target;
            }
            byte[] model = resource();
            AtomicFile.createDirectory(cache);
            AtomicFile.write(target, model);
            return target;
        } catch (IOException e) {
            throw new AgentException(ErrorCode.INTERNAL, "the demo model cannot be written to " + target, e);
        }
    }

    private static boolean isRight(Path file) throws IOException {
        return Files.isRegularFile(file) && sha256(Files.readAllBytes(file)).equals(SHA256);
    }

    private static byte[] resource() throws IOException {
        try (InputStream in = EmbeddedDemo.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new AgentException(ErrorCode.INTERNAL, "the program does not hold the demo model " + RESOURCE);
            }
            byte[] model = in.readAllBytes();
            String digest = sha256(model);
            if (!digest.equals(SHA256)) {
                throw new AgentException(ErrorCode.INTERNAL, "the demo model in the program has SHA-256 " + digest + ", not " + SHA256);
            }
            return model;
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
