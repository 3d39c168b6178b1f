package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.CoordinatorMessage.Mismatch;
import dev.darkbloom.agent.protocol.CoordinatorMessage.ModelsReplaceAck;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is known of the connection, written by the link's threads and read by {@code status}. Any thread. */
final class LinkBoard {
    private static final Logger log = LoggerFactory.getLogger(LinkBoard.class);

    private static final int MOST_MISMATCHES = 32;
    /** Lines of the log that a coordinator can bring about by what it says, in {@link #TOLD_IN}. */
    private static final int MOST_TOLD = 20;
    private static final Duration TOLD_IN = Duration.ofMinutes(10);

    private final InstantSource wall;
    private LinkState state = LinkState.IDLE; // guarded by this, as is everything below
    private Instant since;
    private int attempts;
    private Instant nextAttempt;
    private LinkEnd lastEnd;
    private Instant connectedAt;
    private Instant lastHeartbeat;
    private Instant lastChallenge;
    private Instant lastServed;
    private boolean later;
    private long capacitySeq; // of the latest report on this connection
    private LinkStatus.Trust trust;
    private List<Mismatch> mismatches = List.of();
    private LinkStatus.Listing listed;
    private LinkStatus.Manifest manifest;
    private Map<String, Double> catalogueGb = Map.of();
    private boolean draining;
    private String warning;
    private Instant toldSince;
    private int told;
    private String drainedId = "";
    private ModelsReplaceAck replaced;
    private long challengesIgnored; // these five only grow
    private long attempted;
    private long registrations;
    private long heartbeats;
    private final Map<LinkEnd.Kind, Long> ends = new EnumMap<>(LinkEnd.Kind.class);

    LinkBoard(InstantSource wall) {
        this.wall = wall;
        since = wall.instant();
    }

    private static String plain(String theirs) {
        return theirs == null ? "" : LinkEnd.plain(theirs);
    }

    private void enter(LinkState next) {
        if (state != next) {
            log.info("coordinator {} -> {}", state.word(), next.word());
            state = next;
            since = wall.instant();
        }
    }

    synchronized void connecting() {
        nextAttempt = null;
        attempted++;
        enter(LinkState.CONNECTING);
    }

    synchronized void registered(Instant at) {
        connectedAt = at;
        registrations++;
        lastChallenge = null;
        lastHeartbeat = null;
        lastServed = null;
        later = false;
        capacitySeq = 0;
        trust = null;
        mismatches = List.of();
        listed = null;
        enter(draining ? LinkState.DRAINING : LinkState.REGISTERED);
    }

    /** Returns when the present connection registered; empty when there is none. */
    synchronized Optional<Instant> connectedAt() {
        return Optional.ofNullable(connectedAt);
    }

    synchronized void reported(Instant at) {
        lastHeartbeat = at;
        if (connectedAt != null && Duration.between(connectedAt, at).compareTo(Backoff.LASTED) >= 0) {
            warning = null; // what it was about has not come up again
        }
        heartbeats++;
    }

    synchronized long attempted() {
        return attempted;
    }

    synchronized long registrations() {
        return registrations;
    }

    synchronized long heartbeats() {
        return heartbeats;
    }

    synchronized Map<LinkEnd.Kind, Long> ends() {
        return new EnumMap<>(ends);
    }

    synchronized void challenged(Instant at) {
        lastChallenge = at;
        attempts = 0;
        if (!draining) {
            enter(LinkState.CONNECTED);
        }
    }

    /** Counts a challenge that was not answered for its form. */
    synchronized void challengeIgnored() {
        challengesIgnored++;
    }

    synchronized long challengesIgnored() {
        return challengesIgnored;
    }

    synchronized void served() {
        if (connectedAt != null) { // an answer may end when its connection has
            lastServed = wall.instant();
        }
    }

    synchronized void later() {
        later = true;
    }

    /** Takes the number of a report that is written next. */
    synchronized void reporting(long seq) {
        capacitySeq = seq;
    }

    /** Returns the number of the latest report; 0 before the first that had one. */
    synchronized long capacitySeq() {
        return capacitySeq;
    }

    synchronized boolean isLater() {
        return later;
    }

    /** Returns whether what the coordinator says may be written down: a few lines now and then, however often it changes its mind. */
    private boolean mayTell() {
        Instant now = wall.instant();
        if (toldSince == null || Duration.between(toldSince, now).abs().compareTo(TOLD_IN) > 0) {
            toldSince = now;
            told = 0;
        }
        return ++told <= MOST_TOLD;
    }

    /** Takes what the coordinator thinks of this node; returns whether that is news worth keeping. */
    synchronized boolean trust(LinkStatus.Trust said) {
        boolean isOther = trust == null || !trust.level().equals(said.level()) || !trust.status().equals(said.status());
        if (isOther) {
            lastServed = null; // what was routed here before proves nothing of how it stands now
        }
        boolean isNews = isOther && mayTell();
        if (isNews) {
            log.info("coordinator's trust level={} status={}", said.level(), said.status());
        }
        trust = said;
        return isNews;
    }

    synchronized void mismatches(List<Mismatch> found) {
        if (found.isEmpty() && !mismatches.isEmpty() && mayTell()) {
            log.info("the coordinator accepts the hashes of this agent again");
        }
        if (!found.isEmpty() && mismatches.isEmpty() && mayTell()) {
            log.warn("the coordinator does not accept hashes of this agent; it routes nothing here components={}",
                    found.stream().limit(MOST_MISMATCHES).map(one -> plain(one.component())).toList());
        }
        mismatches = found.stream().limit(MOST_MISMATCHES)
                .map(one -> new Mismatch(plain(one.component()), plain(one.expected()), plain(one.got()))).toList();
    }

    synchronized void listed(LinkStatus.Listing found) {
        if (listed != null && listed.isThere() && !listed.trustLevel().equals(found.trustLevel())) {
            lastServed = null; // as above; a status may also change because a request came
        }
        listed = found;
    }

    synchronized void catalogue(Map<String, Double> sizesGb) {
        catalogueGb = sizesGb;
    }

    synchronized void manifest(LinkStatus.Manifest found) {
        manifest = found;
    }

    synchronized void drained(String id) {
        drainedId = id;
        notifyAll();
    }

    /** Returns when the present connection registered, if it is to a coordinator that knows drains. */
    synchronized Optional<Instant> laterConnection() {
        return later ? Optional.ofNullable(connectedAt) : Optional.empty();
    }

    /** Waits for the acknowledgement of a drain; returns whether it came in time and before the connection ended. */
    synchronized boolean awaitDrained(String id, long millis) throws InterruptedException {
        long deadline = System.nanoTime() + millis * 1_000_000;
        Instant connection = connectedAt;
        while (!drainedId.equals(id)) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0 || connection == null || !connection.equals(connectedAt)) {
                return false;
            }
            wait(left);
        }
        return true;
    }

    synchronized void replaced(ModelsReplaceAck ack) {
        replaced = ack;
        notifyAll();
    }

    /** Waits for the answer to a step of a switch of models; empty when the connection ends or none comes in time. */
    synchronized Optional<ModelsReplaceAck> awaitReplaced(String id, boolean validateOnly, long millis) throws InterruptedException {
        long deadline = System.nanoTime() + millis * 1_000_000;
        Instant connection = connectedAt;
        while (replaced == null || !replaced.requestId().equals(id) || replaced.validateOnly() != validateOnly) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0 || connection == null || !connection.equals(connectedAt)) {
                return Optional.empty();
            }
            wait(left);
        }
        return Optional.of(replaced);
    }

    synchronized void draining() {
        draining = true;
        if (state.isOpen()) {
            enter(LinkState.DRAINING);
        }
    }

    synchronized void ended(LinkEnd end, LinkState next, int attemptsInARow, Instant retryAt) {
        if (lastEnd == null || lastEnd.kind() != end.kind() || attemptsInARow <= 1) {
            log.info("coordinator connection ended why={} next={}", end, next.word());
        } else {
            log.debug("coordinator connection ended why={} attempts={}", end, attemptsInARow);
        }
        lastEnd = end;
        ends.merge(end.kind(), 1L, Long::sum);
        attempts = attemptsInARow;
        nextAttempt = retryAt;
        connectedAt = null;
        notifyAll();
        enter(next);
    }

    /** Shows {@code words} until it is called with nothing. */
    synchronized void warn(Optional<String> words) {
        words.filter(text -> !text.equals(warning)).ifPresent(text -> log.warn("coordinator: {}", text));
        warning = words.orElse(null);
    }

    synchronized LinkStatus status(CoordinatorAddress address, Optional<String> proxy, LinkStatus.Traffic traffic) {
        return new LinkStatus(address, proxy, state, since, attempts, Optional.ofNullable(nextAttempt), Optional.ofNullable(lastEnd),
                Optional.ofNullable(connectedAt), Optional.ofNullable(lastHeartbeat), Optional.ofNullable(lastChallenge),
                Optional.ofNullable(lastServed), later,
                Optional.ofNullable(trust), mismatches, Optional.ofNullable(listed), Optional.ofNullable(manifest), catalogueGb,
                Optional.ofNullable(warning), traffic);
    }
}
