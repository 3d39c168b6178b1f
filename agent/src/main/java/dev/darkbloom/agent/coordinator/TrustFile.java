package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a coordinator last said it thinks of this node, kept over restarts (provider protocol, 5.5): newer ones say it once, and perhaps a while
 * after a connection has begun.
 *
 * <p>A file of five lines that can be lost: address, level, status, time, reason. Any thread.
 */
public final class TrustFile {
    private static final Logger log = LoggerFactory.getLogger(TrustFile.class);
    private static final int LINES = 5;
    /** A file of ours is far smaller: its texts are cut. */
    private static final long MOST_BYTES = 8 << 10;

    private final Path file;
    private final CoordinatorAddress address;
    private LinkStatus.Trust latest; // guarded by this

    private TrustFile(Path file, CoordinatorAddress address) {
        this.file = file;
        this.address = address;
    }

    /** Reads what {@code file} says of the coordinator at {@code address}: nothing where it is absent, damaged, or of another one. */
    public static TrustFile open(Path file, CoordinatorAddress address) {
        var opened = new TrustFile(file, address);
        try {
            if (Files.size(file) <= MOST_BYTES) {
                opened.latest = parse(Files.readAllLines(file), address);
            }
        } catch (NoSuchFileException e) {
            log.debug("no coordinator's word is kept");
        } catch (IOException | DateTimeException e) {
            log.debug("the coordinator's last word was not read error={}", e.getClass().getSimpleName());
        }
        return opened;
    }

    private static LinkStatus.Trust parse(List<String> lines, CoordinatorAddress address) {
        if (lines.size() != LINES || !lines.getFirst().equals(address.toString())) {
            return null;
        }
        return new LinkStatus.Trust(LinkEnd.plain(lines.get(1)), lines.get(2), Optional.of(lines.get(4)).filter(text -> !text.isEmpty()),
                Instant.parse(lines.get(3)));
    }

    /** Returns what was told last, by this process or one before. */
    public synchronized Optional<LinkStatus.Trust> latest() {
        return Optional.ofNullable(latest);
    }

    /** Keeps what was told, unless something told later is kept already. Writes a file; blocks. */
    synchronized void keep(LinkStatus.Trust told) {
        if (latest != null && told.at().isBefore(latest.at())) {
            return;
        }
        latest = told;
        try {
            AtomicFile.write(file, String.join("\n", address.toString(), told.level(), told.status(), told.at().toString(), told.reason().orElse(""),
                    ""));
        } catch (IOException e) {
            log.warn("the coordinator's word was not written file={} error={}", file.getFileName(), e.getClass().getSimpleName());
        }
    }
}
