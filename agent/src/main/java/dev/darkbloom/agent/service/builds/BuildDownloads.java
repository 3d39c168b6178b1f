package dev.darkbloom.agent.service.builds;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.coordinator.Catalogue;
import dev.darkbloom.agent.models.builds.BuildFetch;
import dev.darkbloom.agent.models.builds.BuildManifest;
import dev.darkbloom.agent.models.builds.FetchedBuild;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches builds one after the other, those of higher priority first; two at a time would only share the line.
 *
 * <p>Any thread asks; the thread {@code build-fetch} works. Who asks for a build that is on its way already joins it.
 */
public final class BuildDownloads implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(BuildDownloads.class);
    /** Builds that wait; a coordinator that wants more is refused. */
    private static final int MOST_WAITING = 64;
    /** Askers that one download tells how it goes on. */
    private static final int MOST_LISTENERS = 16;
    /** Ended downloads that {@link #recent} still shows. */
    private static final int SHOWN_ENDED = 8;

    private final Catalogue catalogue;
    private final BuildFetch fetch;
    private final Thread thread;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<Download> waiting = new ArrayList<>(); // guarded by lock, as are the others below
    private final Deque<Download> ended = new ArrayDeque<>();
    private Download current;
    private boolean cancelled;
    private boolean closed;
    private long orders;

    private BuildDownloads(Catalogue catalogue, BuildFetch fetch) {
        this.catalogue = catalogue;
        this.fetch = fetch;
        thread = Thread.ofPlatform().daemon().name("build-fetch").unstarted(this::run);
    }

    /** Starts the thread, which waits. Takes {@code catalogue}, borrows {@code fetch}. */
    public static BuildDownloads start(Catalogue catalogue, BuildFetch fetch) {
        var downloads = new BuildDownloads(catalogue, fetch);
        downloads.thread.start();
        return downloads;
    }

    /**
     * Has a build fetched. Returns at once.
     *
     * @param aggregateSha256 the state of the build that is wanted; empty for the catalogue's
     * @param priority a higher one comes first, and never breaks off what has begun
     * @throws AgentException {@code QUEUE_FULL}, {@code DRAINING} after {@link #close}
     */
    public Download fetch(String buildId, Optional<String> aggregateSha256, long priority, Download.Listener listener) {
        lock.lock();
        try {
            if (closed) {
                throw new AgentException(ErrorCode.DRAINING, "the agent is stopping");
            }
            Optional<Download> same = underway().stream()
                    .filter(other -> other.buildId().equals(buildId) && other.aggregateSha256().equals(aggregateSha256)).findFirst();
            if (same.isPresent() && !(same.get() == current && cancelled)) {
                if (same.get().listeners.size() >= MOST_LISTENERS) {
                    throw new AgentException(ErrorCode.QUEUE_FULL, "build " + buildId + " was asked for " + MOST_LISTENERS + " times");
                }
                same.get().listeners.add(listener);
                return same.get();
            }
            if (waiting.size() >= MOST_WAITING) {
                throw new AgentException(ErrorCode.QUEUE_FULL, MOST_WAITING + " builds wait to be fetched");
            }
            var download = new Download(buildId, aggregateSha256, priority, orders++);
            download.listeners.add(listener);
            waiting.add(download);
            changed.signalAll();
            return download;
        } finally {
            lock.unlock();
        }
    }

    private List<Download> underway() {
        var all = new ArrayList<Download>(waiting);
        if (current != null) {
            all.addFirst(current);
        }
        return all;
    }

    /** Returns what is fetched, what waits, and what has ended lately, in this order. */
    public List<Download> recent() {
        lock.lock();
        try {
            List<Download> all = underway();
            all.addAll(ended);
            return List.copyOf(all);
        } finally {
            lock.unlock();
        }
    }

    /** Ends a download soon; what has come stays on disk for another time. Does nothing when it is over. */
    public void cancel(Download download) {
        boolean waited;
        lock.lock();
        try {
            waited = waiting.remove(download);
            if (download == current && !cancelled) {
                cancelled = true;
                thread.interrupt();
            }
        } finally {
            lock.unlock();
        }
        if (waited) {
            over(download, Download.State.CANCELLED, Optional.empty(), Optional.of(cancellation()));
        }
    }

    private static AgentException cancellation() {
        return new AgentException(ErrorCode.CANCELLED, "the download was cancelled");
    }

    private void run() {
        for (Optional<Download> next = next(); next.isPresent(); next = next()) {
            Download download = next.get();
            Download.State state;
            Optional<FetchedBuild> build = Optional.empty();
            Optional<AgentException> problem = Optional.empty();
            try {
                build = Optional.of(fetch(download));
                state = Download.State.DONE;
                log.info("build fetched build={} bytes={}", download.buildId(), build.get().bytes());
            } catch (InterruptedException e) {
                state = Download.State.CANCELLED;
                problem = Optional.of(cancellation());
            } catch (AgentException e) {
                state = Download.State.FAILED;
                problem = Optional.of(e);
                log.warn("build not fetched build={} code={} why={}", download.buildId(), e.code(), e.getMessage());
            } catch (RuntimeException e) {
                state = Download.State.FAILED;
                problem = Optional.of(new AgentException(ErrorCode.INTERNAL, "the build could not be fetched", e));
                log.error("build not fetched build={}", download.buildId(), e);
            }
            lock.lock();
            try {
                current = null;
                cancelled = false;
            } finally {
                lock.unlock();
            }
            over(download, state, build, problem);
        }
    }

    private void over(Download download, Download.State state, Optional<FetchedBuild> build, Optional<AgentException> problem) {
        lock.lock();
        try {
            ended.addFirst(download);
            if (ended.size() > SHOWN_ENDED) {
                ended.removeLast();
            }
        } finally {
            lock.unlock();
        }
        try {
            download.end(state, build, problem);
        } catch (RuntimeException e) {
            log.error("a listener of a download failed build={}", download.buildId(), e);
        }
    }

    /** Waits for the next download; empty at the end. */
    private Optional<Download> next() {
        lock.lock();
        try {
            while (!closed) {
                boolean _ = Thread.interrupted(); // a cancel that came when its download was over
                Optional<Download> first = waiting.stream().min(Comparator.comparingLong(Download::priority).reversed()
                        .thenComparingLong(Download::order));
                if (first.isPresent()) {
                    waiting.remove(first.get());
                    current = first.get();
                    current.begin();
                    return first;
                }
                changed.awaitUninterruptibly();
            }
            return Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    private FetchedBuild fetch(Download download) throws InterruptedException {
        BuildManifest manifest = catalogue.manifest(download.buildId());
        if (download.aggregateSha256().filter(wanted -> !wanted.equalsIgnoreCase(manifest.aggregateSha256())).isPresent()) {
            throw new AgentException(ErrorCode.BUILD_MISSING, "the catalogue has another state of this build than the one that is wanted");
        }
        download.at(0, manifest.modelBytes());
        return fetch.run(manifest, catalogue.address().toString(), false, catalogue, download::at);
    }

    /** Ends what runs; the rest is not begun. Waits for the thread. */
    @Override
    public void close() {
        List<Download> dropped;
        lock.lock();
        try {
            closed = true;
            dropped = List.copyOf(waiting);
            waiting.clear();
            if (current != null) {
                thread.interrupt();
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        dropped.forEach(download -> over(download, Download.State.CANCELLED, Optional.empty(), Optional.of(cancellation())));
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        catalogue.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
