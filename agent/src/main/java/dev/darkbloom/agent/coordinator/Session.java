package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.hardware.ContinuousClock;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.CoordinatorMessage;
import dev.darkbloom.agent.protocol.LoadStatus;
import dev.darkbloom.agent.protocol.MalformedMessageException;
import dev.darkbloom.agent.protocol.MessageDecoder;
import dev.darkbloom.agent.protocol.MessageEncoder;
import dev.darkbloom.agent.protocol.PrefetchStatus;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection, from {@code register} to its end.
 *
 * <p>Belongs to the thread {@code coordinator}, which {@link #run} keeps until the connection is over; {@link #ask} is for any thread. What may
 * block (measuring, signing, loading) is done on virtual threads whose results come back as messages.
 */
final class Session {
    private static final Logger log = LoggerFactory.getLogger(Session.class);
    /** Challenges, and loads, that are worked on at a time; a coordinator that sends more than that is not answered. */
    private static final int MOST_TASKS = 8;
    /** Least time between two words about one build that comes (provider protocol, 17.2). */
    private static final Duration PREFETCH_NEWS = Duration.ofSeconds(2);
    /** After an answered challenge hashes that do not match are told at once (provider protocol, 5.4); silence for so long means that they do. */
    private static final Duration RUNTIME_STATUS = Duration.ofSeconds(5);
    /** How often clocks are looked at when nothing happens: so soon is it known that the machine slept. */
    private static final long LOOK_NANOS = 1_000_000_000;

    private final CoordinatorSocket socket;
    private final NodeSelf self;
    private final RequestDesk desk;
    private final MessageDecoder decoder;
    private final LinkSettings settings;
    private final NanoClock clock;
    private final ContinuousClock elapsed;
    private final InstantSource wall;
    private final LinkBoard board;
    private final Optional<TrustFile> trusts;
    private final MessageEncoder encoder = new MessageEncoder();
    private final Queue<Runnable> asked = new ConcurrentLinkedQueue<>();
    /** Of their own, so that loads, which may take minutes, never keep a challenge waiting. */
    private final Semaphore challenges = new Semaphore(MOST_TASKS);
    private final Semaphore loads = new Semaphore(MOST_TASKS);
    private long nextHeartbeat;
    private long nextPing;
    private long pongDue = Long.MAX_VALUE;
    private long frameNanos; // when a message was last taken
    private long capacitySeq;
    private long matchesAt = Long.MAX_VALUE; // of elapsed: when the hashes will have been accepted, unless it is told that they are not
    private volatile long writtenNanos; // of elapsed: when a report, or the registration, was last taken by the system
    private LinkEnd end;
    private boolean overrun;

    /** Borrows everything; {@code socket} is open and nothing was sent. */
    Session(CoordinatorSocket socket, NodeSelf self, RequestDesk desk, MessageDecoder decoder, LinkSettings settings, LinkClocks clocks,
            LinkBoard board, Optional<TrustFile> trusts) {
        this.trusts = trusts;
        this.socket = socket;
        this.self = self;
        this.desk = desk;
        this.decoder = decoder;
        this.settings = settings;
        clock = clocks.nanos();
        elapsed = clocks.elapsed();
        wall = clocks.wall();
        this.board = board;
    }

    /**
     * Registers, reports and takes messages until the connection is over.
     *
     * @return why it is
     */
    LinkEnd run(AgentMessage.Register registration) throws InterruptedException {
        send(registration);
        board.registered(wall.instant());
        writtenNanos = elapsed.nanos();
        frameNanos = clock.nanoTime();
        nextHeartbeat = clock.nanoTime();
        nextPing = clock.nanoTime() + settings.ping().toNanos();
        try {
            while (end == null) {
                for (Runnable next = asked.poll(); next != null; next = asked.poll()) {
                    next.run();
                }
                Optional<SocketEvent> event = socket.next(untilDue());
                event.ifPresent(this::take);
                lookAtClocks();
            }
        } finally {
            desk.abandon(socket);
        }
        return end;
    }

    /** Has {@code action} run by the session's thread, soon. */
    void ask(Runnable action) {
        asked.add(action);
        socket.wake();
    }

    /** Ends the connection by a close frame. By the session's thread. */
    void end(LinkEnd why) {
        if (end == null) {
            end = why;
            socket.close(1000, why);
        }
    }

    private long untilDue() {
        if (end != null) {
            return 0;
        }
        long due = Math.min(Math.min(nextHeartbeat, nextPing), Math.min(pongDue, desk.check()));
        return Math.clamp(due - clock.nanoTime(), 0, LOOK_NANOS);
    }

    private void lookAtClocks() {
        if (end != null) {
            return;
        }
        // The clock by which things are due stands still while the machine sleeps; the coordinator's does not.
        var silence = Duration.ofNanos(elapsed.nanos() - writtenNanos);
        if (silence.compareTo(settings.silence()) > 0) {
            end(new LinkEnd(LinkEnd.Kind.SLEPT, "no report for " + silence.toSeconds() + " s"));
            return;
        }
        if (socket.isClogged()) {
            end(new LinkEnd(LinkEnd.Kind.LOST, "it does not read what it is sent"));
            return;
        }
        if (matchesAt != Long.MAX_VALUE && elapsed.nanos() - matchesAt >= 0) {
            matchesAt = Long.MAX_VALUE;
            board.mismatches(List.of());
        }
        long nanos = clock.nanoTime();
        if (pongDue != Long.MAX_VALUE && nanos - pongDue >= 0 && nanos - frameNanos < settings.pong().toNanos()) {
            pongDue = frameNanos + settings.pong().toNanos(); // it lives: its pong stands behind what it sends
        }
        if (pongDue != Long.MAX_VALUE && nanos - pongDue >= 0) {
            end(new LinkEnd(LinkEnd.Kind.LOST, "no pong within " + settings.pong().toSeconds() + " s"));
            return;
        }
        if (nanos - nextPing >= 0) {
            socket.ping();
            nextPing = nanos + settings.ping().toNanos();
            if (pongDue == Long.MAX_VALUE) {
                pongDue = nanos + settings.pong().toNanos();
            }
        }
        if (nanos - nextHeartbeat >= 0) {
            nextHeartbeat = nanos + settings.heartbeat().toNanos();
            heartbeat();
        }
    }

    /** Reports now; the next report comes when it was due anyhow. */
    void heartbeat() {
        if (board.isLater()) {
            capacitySeq++;
            board.reporting(capacitySeq);
        }
        AgentMessage.Heartbeat report = self.heartbeat(desk.isDraining(), desk.inFlight(), desk.stats(), capacitySeq);
        try (Content frame = Content.confined(2048)) {
            encoder.encode(report, frame);
            socket.send(frame.buffer(), frame.length(), () -> {
                writtenNanos = elapsed.nanos();
                board.reported(wall.instant());
            });
        }
    }

    private void take(SocketEvent event) {
        switch (event) {
            case SocketEvent.Frame(Content message) -> takeFrame(message);
            case SocketEvent.Pong() -> pongDue = Long.MAX_VALUE;
            case SocketEvent.Wake() -> { }
            case SocketEvent.Ended(LinkEnd why) -> end = end == null ? why : end;
        }
    }

    private void takeFrame(Content frame) {
        boolean handedOn = false;
        frameNanos = clock.nanoTime();
        try {
            CoordinatorMessage message = decoder.coordinatorMessage(frame.segment());
            handedOn = take(message, frame);
        } catch (MalformedMessageException e) {
            log.debug("message not read bytes={}", frame.length());
        } finally {
            if (!handedOn) {
                frame.close();
            }
        }
    }

    /** Returns whether somebody else closes {@code frame}. */
    private boolean take(CoordinatorMessage message, Content frame) {
        switch (message) {
            case CoordinatorMessage.InferenceRequest request -> {
                desk.accept(request, frame, socket);
                return true;
            }
            case CoordinatorMessage.Cancel(var id) -> desk.cancel(id);
            case CoordinatorMessage.AttestationChallenge challenge -> {
                if (ChallengeForm.isProper(challenge)) {
                    task("challenge", challenges, () -> answer(challenge));
                } else {
                    board.challengeIgnored();
                    log.debug("challenge that is none");
                }
            }
            case CoordinatorMessage.RuntimeStatus status -> {
                matchesAt = Long.MAX_VALUE;
                board.mismatches(status.verified() ? List.of() : status.mismatches());
            }
            case CoordinatorMessage.TrustStatus trust -> {
                board.later();
                var told = new LinkStatus.Trust(trust.trustLevel().word(), trust.status(), trust.reason(), wall.instant());
                if (board.trust(told)) {
                    trusts.ifPresent(file -> Thread.ofVirtual().name("task-trust").start(() -> file.keep(told)));
                }
            }
            case CoordinatorMessage.LoadModel(String id) -> {
                board.later();
                task("load-model", loads, () -> load(id));
            }
            case CoordinatorMessage.PrefetchModel prefetch -> {
                board.later();
                prefetch(prefetch);
            }
            case CoordinatorMessage.DesiredModels desired -> {
                board.later();
                self.desired(desired.models());
            }
            case CoordinatorMessage.CapacityProbe probe -> {
                board.later();
                if (socket.hasRoom()) { // a quote that comes late is worth nothing
                    send(self.quote(probe, desk.isDraining(), capacitySeq));
                }
            }
            case CoordinatorMessage.ProviderDrainAck(String id) -> board.drained(id);
            case CoordinatorMessage.ModelsReplaceAck ack -> {
                board.later();
                board.replaced(ack);
            }
            case CoordinatorMessage.ModelsReplaceResumed _ -> board.later();
            case CoordinatorMessage.CodeAttestationResumeChallenge _, CoordinatorMessage.AppAttestShadow _ -> board.later();
            case CoordinatorMessage.Unknown(String type) -> log.debug("message of a type that is not known type={}", type);
        }
        return false;
    }

    private void answer(CoordinatorMessage.AttestationChallenge challenge) {
        AgentMessage.AttestationResponse answer = self.answer(challenge);
        ask(() -> {
            send(answer);
            board.challenged(wall.instant());
            if (matchesAt == Long.MAX_VALUE) {
                matchesAt = elapsed.nanos() + RUNTIME_STATUS.toNanos();
            }
        });
    }

    private void load(String modelId) throws InterruptedException {
        answer(new AgentMessage.LoadModelStatus(modelId, LoadStatus.STARTED, Optional.empty()));
        Optional<String> problem = desk.isDraining() ? Optional.of("provider draining for update") : self.load(modelId);
        answer(new AgentMessage.LoadModelStatus(modelId, problem.isEmpty() ? LoadStatus.SUCCEEDED : LoadStatus.FAILED, problem));
        ask(this::heartbeat);
    }

    private void prefetch(CoordinatorMessage.PrefetchModel wanted) {
        String modelId = wanted.modelId();
        sendPrefetch(modelId, PrefetchStatus.STARTED, OptionalLong.empty(), OptionalLong.empty(), Optional.empty());
        if (desk.isDraining()) {
            sendPrefetch(modelId, PrefetchStatus.FAILED, OptionalLong.empty(), OptionalLong.empty(), Optional.of("provider draining for update"));
            return;
        }
        self.prefetch(modelId, wanted.priority().orElse(0), new NodeModels.PrefetchNews() {
            private long nextNanos = clock.nanoTime();

            @Override
            public void downloading(long bytesDone, long bytesTotal) {
                long now = clock.nanoTime();
                if (now - nextNanos >= 0) {
                    nextNanos = now + PREFETCH_NEWS.toNanos();
                    ask(() -> sendPrefetch(modelId, PrefetchStatus.DOWNLOADING, OptionalLong.of(bytesDone), OptionalLong.of(bytesTotal),
                            Optional.empty()));
                }
            }

            @Override
            public void verified() {
                ask(() -> sendPrefetch(modelId, PrefetchStatus.VERIFIED, OptionalLong.empty(), OptionalLong.empty(), Optional.empty()));
            }

            @Override
            public void failed(String why) {
                ask(() -> sendPrefetch(modelId, PrefetchStatus.FAILED, OptionalLong.empty(), OptionalLong.empty(), Optional.of(why)));
            }
        });
    }

    private void sendPrefetch(String modelId, PrefetchStatus status, OptionalLong done, OptionalLong total, Optional<String> error) {
        send(new AgentMessage.PrefetchModelStatus(modelId, status, done, total, error));
    }

    /** Tells what is offered now to a coordinator that knows of models that come and go; by the session's thread. */
    void offersChanged() {
        if (board.isLater()) {
            send(self.offered());
            heartbeat();
        }
    }

    /** Tells that requests are taken again after a switch of models, and by which report; by the session's thread. */
    void ready(String requestId, String drainId) {
        capacitySeq++;
        send(new AgentMessage.ModelsReplaceReady(requestId, drainId, capacitySeq));
        heartbeat();
    }

    private void answer(AgentMessage message) {
        ask(() -> send(message));
    }

    /** Something that may block. */
    private interface Task {
        void run() throws InterruptedException;
    }

    private void task(String name, Semaphore tasks, Task task) {
        if (!tasks.tryAcquire()) {
            if (!overrun) {
                overrun = true; // once is enough
                log.warn("the coordinator asks for more at a time than is answered what={} limit={}", name, MOST_TASKS);
            }
            return;
        }
        Thread.ofVirtual().name("task-" + name).start(() -> {
            try {
                task.run();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (AgentException e) {
                log.warn("not answered what={} code={}", name, e.code());
            } catch (RuntimeException | Error e) {
                log.error("not answered what={}", name, e);
            } finally {
                tasks.release();
            }
        });
    }

    /** Sends a message; by the session's thread. */
    void send(AgentMessage message) {
        try (Content frame = Content.confined(2048)) {
            encoder.encode(message, frame);
            socket.send(frame.buffer(), frame.length());
        }
    }
}
