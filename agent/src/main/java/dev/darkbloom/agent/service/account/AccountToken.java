package dev.darkbloom.agent.service.account;

import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/** The token that binds this machine to an account, one line in a file of its owner's (mode 0600). Any thread, any process. */
public final class AccountToken {
    /** What a token may look like: one word that fits a header; coordinators give {@code eigeninference-pt-} and 64 digits. */
    private static final Pattern FORM = Pattern.compile("[\\x21-\\x7E]{8,512}");

    private AccountToken() {}

    /**
     * Returns the token in {@code file}; empty where there is none. Rights of others on the file are taken away.
     *
     * @throws AgentException {@code CONFIG_INVALID} when the file holds something else
     */
    public static Optional<Redacted> read(Path file) {
        try {
            String text = Files.readString(file, StandardCharsets.ISO_8859_1).strip();
            if (!FORM.matcher(text).matches()) {
                throw new AgentException(ErrorCode.CONFIG_INVALID, file + " does not hold an account's token; run: darkbloom-agent login");
            }
            AtomicFile.restrictToOwner(file);
            return Optional.of(new Redacted(text));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    /**
     * Writes a token.
     *
     * @throws AgentException {@code LOGIN_FAILED} when it is not one
     */
    public static void write(Path file, Redacted token) {
        if (!FORM.matcher(token.reveal()).matches()) {
            throw new AgentException(ErrorCode.LOGIN_FAILED, "the coordinator sent a token that is not one word");
        }
        try {
            AtomicFile.createDirectory(file.getParent());
            AtomicFile.write(file, token.reveal() + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    /** Removes the token; returns whether there was one. */
    public static boolean remove(Path file) {
        try {
            return Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + file, e);
        }
    }
}
