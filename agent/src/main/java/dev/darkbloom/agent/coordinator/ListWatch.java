package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.protocol.CatalogueList;
import dev.darkbloom.agent.protocol.ProviderList;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Looks into the coordinator's public pages, where there are any: whether it has a manifest of hashes, and its list of nodes. A node that was in
 * the list and is not any more was forgotten while its socket is still open, and only a new connection mends that (provider protocol, 0.1, fact 9).
 *
 * <p>Runs on a virtual thread of its own.
 */
final class ListWatch implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ListWatch.class);
    private static final String PAGE = "/v1/providers/attestation";
    private static final String MANIFEST = "/v1/runtime/manifest";
    private static final String CATALOGUE = "/v1/models/catalog";
    /** Above this the list is looked at less often. */
    private static final int LARGE_BYTES = 1 << 20;
    private static final int LESS_OFTEN = 5;
    /** A new connection is looked for this much sooner: until it is found in the list, nobody can say whether work comes. */
    private static final int SOONER = 20;
    /** Looks in a row that must miss the node: the list and the socket are not of one moment. */
    private static final int MISSES = 2;
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

    private final CoordinatorHttp http;
    private final String signingKey;
    private final LinkBoard board;
    private final InstantSource wall;
    private final Runnable forgotten;
    private final CountDownLatch closed = new CountDownLatch(1);
    private Thread thread;

    /** Takes {@code http}; borrows the rest. */
    ListWatch(CoordinatorHttp http, String signingKey, LinkBoard board, InstantSource wall, Runnable forgotten) {
        this.http = http;
        this.signingKey = signingKey;
        this.board = board;
        this.wall = wall;
        this.forgotten = forgotten;
    }

    void start(Duration interval) {
        thread = Thread.ofVirtual().name("task-list-watch").start(() -> run(interval));
    }

    private void run(Duration interval) {
        boolean seen = false;
        boolean failed = false;
        int misses = 0;
        Instant connection = null;
        try {
            long tick = Math.max(1, interval.toMillis() / SOONER);
            long wait = 0;
            while (!closed.await(tick, TimeUnit.MILLISECONDS)) {
                wait -= tick;
                Optional<Instant> connected = board.connectedAt();
                boolean isNew = !connected.equals(Optional.ofNullable(connection));
                if (connected.isEmpty() || !isNew && wait > 0) {
                    continue;
                }
                // A new one is looked for twice: it may not have been in the list yet.
                wait = isNew ? tick : interval.toMillis();
                if (isNew) {
                    connection = connected.get();
                    seen = false;
                    misses = 0;
                }
                try {
                    CoordinatorHttp.Answer answer = http.get(PAGE);
                    if (answer.body().length() > LARGE_BYTES) {
                        wait = interval.toMillis() * LESS_OFTEN;
                    }
                    CoordinatorHttp.Answer runtime = http.get(MANIFEST);
                    if (runtime.isOk()) {
                        ProviderList.isManifestConfigured(runtime.body())
                                .ifPresent(is -> board.manifest(new LinkStatus.Manifest(is, wall.instant())));
                    }
                    if (isNew) {
                        readCatalogue();
                    }
                    Optional<LinkStatus.Listing> found = answer.isOk() ? ProviderList.parse(answer.body()).map(this::listing) : Optional.empty();
                    if (found.isEmpty() || !board.connectedAt().equals(connected)) {
                        continue;
                    }
                    board.listed(found.get());
                    if (found.get().isThere()) {
                        seen = true;
                        misses = 0;
                    } else if (seen && ++misses >= MISSES) {
                        seen = false;
                        forgotten.run();
                    }
                } catch (AgentException e) {
                    log.debug("the coordinator's list was not read code={}", e.code()); // says nothing about the socket
                } catch (RuntimeException e) {
                    // The next look may fare better, and without one nobody would notice that the node was forgotten.
                    log.atLevel(failed ? Level.DEBUG : Level.WARN).log("the coordinator's list was not read", e);
                    failed = true;
                }
            }
        } catch (InterruptedException e) {
            log.debug("list watch interrupted");
        }
    }

    /** By its sizes a coordinator decides whether a model that is not loaded would fit. */
    private void readCatalogue() throws InterruptedException {
        CoordinatorHttp.Answer answer = http.get(CATALOGUE);
        if (answer.isOk()) {
            CatalogueList.parse(answer.body()).ifPresent(list -> {
                var sizes = new HashMap<String, Double>();
                list.entries().stream().filter(entry -> entry.sizeGb() > 0).forEach(entry -> sizes.put(entry.id(), entry.sizeGb()));
                board.catalogue(sizes);
            });
        }
    }

    private LinkStatus.Listing listing(ProviderList list) {
        return list.bySigningKey(signingKey)
                .map(entry -> new LinkStatus.Listing(true, entry.trustLevel(), entry.status(), entry.models(), wall.instant()))
                .orElseGet(() -> new LinkStatus.Listing(false, "", "", List.of(), wall.instant()));
    }

    @Override
    public void close() {
        closed.countDown();
        if (thread != null) {
            thread.interrupt();
            try {
                thread.join(CLOSE_LIMIT); // its call's connection is the client's to end
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        http.close();
    }
}
