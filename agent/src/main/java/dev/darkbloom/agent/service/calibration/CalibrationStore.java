package dev.darkbloom.agent.service.calibration;

import dev.darkbloom.agent.base.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps calibrations in a file. One that cannot be read counts as empty and is written anew with the next result: what it held can be measured
 * again. Used by one thread at a time.
 */
final class CalibrationStore {
    private static final Logger log = LoggerFactory.getLogger(CalibrationStore.class);
    /** The oldest are forgotten beyond so many: models that were tried once, or that a library before this one computed. */
    private static final int MOST_RECORDS = 64;

    private final Path file;

    CalibrationStore(Path file) {
        this.file = file;
    }

    /** Returns what was found for {@code key}. */
    Optional<CalibrationRecord> find(CalibrationKey key) {
        return read().stream().filter(found -> found.key().equals(key)).findFirst();
    }

    /** Keeps a result in place of an older one for the same key. */
    void put(CalibrationRecord result) {
        var records = new ArrayList<CalibrationRecord>();
        records.add(result);
        read().stream().filter(found -> !found.key().equals(result.key())).limit(MOST_RECORDS - 1).forEach(records::add);
        try {
            AtomicFile.write(file, CalibrationCodec.toJson(records));
        } catch (IOException e) {
            log.warn("calibration not kept file={} reason={}", file, e.getMessage());
        }
    }

    private List<CalibrationRecord> read() {
        try {
            return Files.exists(file) ? CalibrationCodec.fromJson(Files.readString(file)) : List.of();
        } catch (IOException e) {
            log.warn("calibrations ignored, the next one replaces them file={} reason={}", file, e.getMessage());
            return List.of();
        }
    }
}
