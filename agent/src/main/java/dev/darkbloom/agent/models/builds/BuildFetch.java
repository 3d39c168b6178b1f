package dev.darkbloom.agent.models.builds;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.models.ModelEntry;
import dev.darkbloom.agent.models.ModelStore;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings a build onto this machine's disk: goes on where an earlier attempt ended, checks every file's SHA-256, and makes it a build only when all
 * is there.
 *
 * <p>Belongs to the thread that calls {@link #run}; an interrupt ends it, and what has come stays for the next time.
 */
public final class BuildFetch {
    private static final Logger log = LoggerFactory.getLogger(BuildFetch.class);
    private static final int BUFFER_BYTES = 1 << 18;
    private static final String UNFINISHED = ".part";
    private static final String LOCK = "lock";

    private final BuildStore store;
    private final Settings settings;
    private final InstantSource wall;

    /**
     * How it goes about it.
     *
     * @param reserveBytes of the disk that stay free
     * @param quotaBytes that builds fetched for coordinators may take together
     * @param attempts in a row that bring no byte, after which it gives up
     * @param pause before the second attempt; doubles, up to a minute
     */
    public record Settings(long reserveBytes, long quotaBytes, int attempts, Duration pause) {
        private static final Duration LONGEST = Duration.ofMinutes(1);

        /** Five attempts, from one second. */
        public static Settings of(long reserveBytes, long quotaBytes) {
            return new Settings(reserveBytes, quotaBytes, 5, Duration.ofSeconds(1));
        }

        Duration pauseAfter(int failures) {
            Duration pause = this.pause.multipliedBy(1L << Math.min(failures - 1, 16));
            return pause.compareTo(LONGEST) > 0 ? LONGEST : pause;
        }
    }

    /** Hears how far it is, by the thread that fetches; often, so it should be quick. */
    @FunctionalInterface
    public interface Progress {
        /** Bytes of the model's files that are here, and all of them. */
        void at(long bytesDone, long bytesTotal);
    }

    /** Borrows {@code store}. */
    public BuildFetch(BuildStore store, Settings settings, InstantSource wall) {
        this.store = store;
        this.settings = settings;
        this.wall = wall;
    }

    /**
     * Fetches what is missing.
     *
     * @param coordinator address of the coordinator that the manifest is of
     * @param isOwners whether the machine's owner asks for it; the quota is for what coordinators ask for
     * @return the build, which may have been here already
     * @throws AgentException {@code BUILD_INVALID} when it is no GGUF model that can be loaded, {@code DISK_FULL}, {@code DOWNLOAD_FAILED}
     * @throws InterruptedException when the calling thread is interrupted
     */
    public FetchedBuild run(BuildManifest manifest, String coordinator, boolean isOwners, BuildSource source, Progress progress)
            throws InterruptedException {
        List<BuildManifest.File> files = manifest.modelFiles();
        Optional<FetchedBuild> there = store.find(manifest);
        if (there.isPresent()) {
            return there.get();
        }
        try {
            Path partial = store.partial(manifest);
            try (FileChannel channel = FileChannel.open(partial.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock _ = lock(channel, manifest)) {
                checkRoom(manifest, partial, isOwners);
                var state = new State(manifest, progress);
                for (BuildManifest.File file : files) {
                    Path target = partial.resolve(file.path());
                    AtomicFile.createDirectory(target.getParent());
                    state.fetch(file, target, source);
                }
                checkModel(manifest, partial, files);
                Files.deleteIfExists(partial.resolve(LOCK));
                return store.finish(manifest, partial, coordinator, isOwners, wall.instant());
            }
        } catch (IOException e) {
            throw new AgentException(ErrorCode.DOWNLOAD_FAILED, "build " + manifest.modelId() + " cannot be written: " + e.getClass().getSimpleName(), e);
        }
    }

    private static FileLock lock(FileChannel channel, BuildManifest manifest) throws IOException {
        try {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                return lock;
            }
        } catch (OverlappingFileLockException e) {
            log.debug("another thread of this process fetches it build={}", manifest.modelId());
        }
        throw new AgentException(ErrorCode.DOWNLOAD_FAILED, "build " + manifest.modelId() + " is being fetched already");
    }

    private void checkRoom(BuildManifest manifest, Path partial, boolean isOwners) throws IOException {
        long missing = 0;
        for (BuildManifest.File file : manifest.modelFiles()) {
            Path target = partial.resolve(file.path());
            long have = Files.exists(target) ? Files.size(target) : sizeOf(unfinished(target));
            missing += Math.max(0, file.bytes() - have);
        }
        long free = Files.getFileStore(partial).getUsableSpace();
        if (missing > free - settings.reserveBytes()) {
            throw new AgentException(ErrorCode.DISK_FULL, "build " + manifest.modelId() + " needs " + missing + " more bytes; the disk has " + free
                    + " free, of which " + settings.reserveBytes() + " are kept");
        }
        long taken = store.list().stream().filter(build -> !build.isOwners()).mapToLong(FetchedBuild::bytes).sum();
        if (!isOwners && taken + manifest.modelBytes() > settings.quotaBytes()) {
            throw new AgentException(ErrorCode.DISK_FULL, "build " + manifest.modelId() + " has " + manifest.modelBytes()
                    + " bytes; builds of coordinators take " + taken + " of " + settings.quotaBytes() + " already");
        }
    }

    private static void checkModel(BuildManifest manifest, Path partial, List<BuildManifest.File> files) {
        ModelEntry entry = ModelStore.ofPath(partial.resolve(files.getFirst().path()));
        if (entry.problem().isPresent()) {
            throw new AgentException(ErrorCode.BUILD_INVALID, "build " + manifest.modelId() + " came whole and cannot be loaded: "
                    + entry.problem().get());
        }
    }

    private static Path unfinished(Path target) {
        return target.resolveSibling(target.getFileName() + UNFINISHED);
    }

    private static long sizeOf(Path file) throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }

    /** One run: how far it is. */
    private final class State {
        private final BuildManifest manifest;
        private final Progress progress;
        private final long total;
        private final byte[] buffer = new byte[BUFFER_BYTES];
        private long before; // bytes of the files that are whole

        State(BuildManifest manifest, Progress progress) {
            this.manifest = manifest;
            this.progress = progress;
            total = manifest.modelBytes();
        }

        void fetch(BuildManifest.File file, Path target, BuildSource source) throws IOException, InterruptedException {
            if (!Files.exists(target)) { // it is renamed to this name only when its hash was right
                Path part = unfinished(target);
                if (!complete(file, part, source)) {
                    log.warn("a file did not match its hash; it is fetched once more build={}", manifest.modelId());
                    Files.deleteIfExists(part);
                    if (!complete(file, part, source)) {
                        Files.deleteIfExists(part);
                        throw new AgentException(ErrorCode.DOWNLOAD_FAILED, "a file of build " + manifest.modelId()
                                + " does not match the hash of its manifest, twice");
                    }
                }
                try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
                Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
            }
            before += file.bytes();
            progress.at(before, total);
        }

        /** Brings a file to its full length; returns whether its hash is right. */
        private boolean complete(BuildManifest.File file, Path part, BuildSource source) throws IOException, InterruptedException {
            if (!Files.exists(part)) {
                Files.createFile(part, AtomicFile.ownerFile());
            }
            if (Files.size(part) > file.bytes()) {
                return false;
            }
            MessageDigest digest = BuildManifest.sha256();
            long have = rehash(part, digest);
            int failures = 0;
            while (have < file.bytes()) {
                long begun = have;
                String why;
                try (BuildSource.Opened opened = open(source, file, have); OutputStream out = Files.newOutputStream(part, StandardOpenOption.WRITE,
                        opened.offset() == have ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING)) {
                    if (opened.offset() != have) {
                        digest.reset();
                        have = 0;
                    }
                    have = copy(opened.body(), out, digest, have, file.bytes());
                    why = "it ended early";
                } catch (DiskException e) {
                    throw e.cause;
                } catch (IOException e) {
                    if (Thread.interrupted() || e.getCause() instanceof InterruptedException) {
                        throw new InterruptedException("the download was cancelled");
                    }
                    have = Files.size(part);
                    digest.reset();
                    rehash(part, digest);
                    why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
                }
                if (have > file.bytes()) {
                    return false;
                }
                if (have < file.bytes()) {
                    failures = have > begun ? 1 : failures + 1;
                    if (failures >= settings.attempts()) {
                        throw new AgentException(ErrorCode.DOWNLOAD_FAILED, "build " + manifest.modelId() + " stopped at " + (before + have) + " of "
                                + total + " bytes: " + why);
                    }
                    log.debug("a download broke off build={} bytes={} failures={}", manifest.modelId(), before + have, failures);
                    Thread.sleep(settings.pauseAfter(failures)); // the fetch's own thread: nobody waits behind it, and a cancel interrupts it
                }
            }
            return HexFormat.of().formatHex(digest.digest()).equals(file.sha256());
        }

        private BuildSource.Opened open(BuildSource source, BuildManifest.File file, long offset) throws IOException, InterruptedException {
            return source.open(manifest.prefix() + "/" + file.path(), offset);
        }

        private long rehash(Path part, MessageDigest digest) throws IOException {
            long bytes = 0;
            try (InputStream in = Files.newInputStream(part)) {
                for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                    digest.update(buffer, 0, read);
                    bytes += read;
                }
            }
            return bytes;
        }

        /** Returns the file's new length, one more than {@code most} where the source has more. */
        private long copy(InputStream in, OutputStream out, MessageDigest digest, long from, long most) throws IOException, InterruptedException {
            long have = from;
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                if (Thread.interrupted()) {
                    throw new InterruptedException("the download was cancelled");
                }
                if (have + read > most) {
                    return most + 1;
                }
                try {
                    out.write(buffer, 0, read);
                } catch (IOException e) {
                    throw new DiskException(e);
                }
                digest.update(buffer, 0, read);
                have += read;
                progress.at(before + have, total);
            }
            return have;
        }
    }

    /** Our own disk failed, which no further attempt mends. */
    private static final class DiskException extends RuntimeException {
        private final transient IOException cause;

        DiskException(IOException cause) {
            super(cause);
            this.cause = cause;
        }
    }
}
