package dev.darkbloom.agent.service.account;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The token that binds this machine to an account, and the coordinator that gave it: two lines in a file of its owner's (mode 0600). Whoever
 * has the token can act for the machine, so no other coordinator is shown it. Any thread, any process.
 *
 * @param coordinator who gave the token
 */
public record AccountToken(CoordinatorAddress coordinator, Redacted token) {
    /** What a token may look like: one word that fits a header; coordinators give {@code eigeninference-pt-} and 64 digits. */
    private static final Pattern FORM = Pattern.compile("[\\x21-\\x7E]{8,512}");

    /**
     * Returns what {@code file} holds; empty where there is none. Rights of others on the file are taken away.
     *
     * @throws AgentException {@code LOGIN_FAILED} when the file holds something else or cannot be read
     */
    public static Optional<AccountToken> read(Path file) {
        try {
            List<String> lines = Files.readString(file, StandardCharsets.ISO_8859_1).strip().lines().map(String::strip).toList();
            if (lines.size() != 2 || !FORM.matcher(lines.get(1)).matches()) {
                throw damaged(file);
            }
            AtomicFile.restrictToOwner(file);
            return Optional.of(new AccountToken(address(file, lines.get(0)), new Redacted(lines.get(1))));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        } catch (IOException e) {
            throw new AgentException(ErrorCode.LOGIN_FAILED, file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static CoordinatorAddress address(Path file, String line) {
        try {
            return CoordinatorAddress.parse(line);
        } catch (AgentException _) {
            throw damaged(file); // the parser would blame a setting
        }
    }

    private static AgentException damaged(Path file) {
        return new AgentException(ErrorCode.LOGIN_FAILED, file + " does not hold a coordinator's address and an account's token");
    }

    /**
     * Returns the token in {@code file} where {@code coordinator} gave it.
     *
     * @throws AgentException {@code LOGIN_FAILED} when the file holds something else or cannot be read
     */
    public static Optional<Redacted> of(Path file, CoordinatorAddress coordinator) {
        return read(file).filter(kept -> kept.coordinator().isSame(coordinator)).map(AccountToken::token);
    }

    /**
     * Writes both, in place of what was there.
     *
     * @throws AgentException {@code LOGIN_FAILED} when the token is not one
     */
    public void write(Path file) {
        if (!FORM.matcher(token.reveal()).matches()) {
            throw new AgentException(ErrorCode.LOGIN_FAILED, "the coordinator sent a token that is not one word");
        }
        try {
            AtomicFile.createDirectory(file.getParent());
            AtomicFile.write(file, coordinator + "\n" + token.reveal() + "\n");
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
