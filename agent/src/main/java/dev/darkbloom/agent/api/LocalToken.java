package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * The key of the local endpoint, in a file of its owner's: {@code dk-local-} and 32 random bytes in base64url, one line ({@code
 * spec/direct-mode-api.md}, A3). Made on first use, never changed by itself. Any thread, any process.
 */
public final class LocalToken {
    private static final String PREFIX = "dk-local-";
    private static final int RANDOM_BYTES = 32;
    private static final Pattern FORM = Pattern.compile(PREFIX + "[A-Za-z0-9_-]{43}");

    private LocalToken() {}

    /**
     * Returns the key in {@code file}, making both if the file is not there. Of two processes that make one at the same time both get the
     * same. Rights of others on the file are taken away.
     *
     * @throws AgentException {@code CONFIG_INVALID} when the file holds something else
     */
    public static Redacted readOrCreate(Path file) {
        try {
            Optional<Redacted> found = read(file);
            if (found.isEmpty()) {
                create(file);
                found = read(file);
            }
            return found.orElseThrow(() -> new NoSuchFileException(file.toString()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Returns the key in {@code file}; empty where there is no file.
     *
     * @throws AgentException {@code CONFIG_INVALID} when the file holds something else
     */
    public static Optional<Redacted> read(Path file) throws IOException {
        String text;
        try {
            text = Files.readString(file, StandardCharsets.ISO_8859_1).strip();
        } catch (NoSuchFileException _) {
            return Optional.empty();
        }
        if (!FORM.matcher(text).matches()) {
            throw new AgentException(
                    ErrorCode.CONFIG_INVALID, file + " does not hold a key of the local endpoint; remove it and a new one is made");
        }
        AtomicFile.restrictToOwner(file);
        return Optional.of(new Redacted(text));
    }

    /** A link to a finished file appears at once and never replaces one that is there, which a rename would. */
    private static void create(Path file) throws IOException {
        var random = new byte[RANDOM_BYTES];
        new SecureRandom().nextBytes(random);
        String key = PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(random);
        Path fresh = file.resolveSibling("." + file.getFileName() + "." + UUID.randomUUID());
        AtomicFile.write(fresh, key + "\n");
        try {
            Files.createLink(file, fresh);
        } catch (FileAlreadyExistsException _) {
            // Another process was first; its key is the key.
        } finally {
            Files.delete(fresh);
        }
    }
}
