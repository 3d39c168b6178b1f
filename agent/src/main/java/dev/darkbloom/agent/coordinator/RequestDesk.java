package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Presence;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.DeviceSigner;
import dev.darkbloom.agent.crypto.PayloadFailure;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.crypto.RequestOpener;
import dev.darkbloom.agent.crypto.ResponseHash;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.CoordinatorMessage.InferenceRequest;
import dev.darkbloom.agent.protocol.EncryptedPayload;
import dev.darkbloom.agent.protocol.ErrorReason;
import dev.darkbloom.agent.protocol.Failure;
import dev.darkbloom.agent.protocol.FailureCode;
import dev.darkbloom.agent.protocol.MessageDecoder;
import dev.darkbloom.agent.protocol.MessageEncoder;
import dev.darkbloom.agent.protocol.ServiceStats;
import dev.darkbloom.agent.protocol.TerminalCause;
import dev.darkbloom.agent.protocol.Usage;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * The requests that came through a coordinator and have not ended: each is opened, answered, sealed and closed on a virtual thread of its own.
 *
 * <p>{@link #accept}, {@link #cancel}, {@link #abandon} and {@link #check} are called by the link's thread and do not block; the rest by any. It
 * outlives connections: the counters go on, and what ran when one broke is cancelled.
 */
final class RequestDesk implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RequestDesk.class);
    /** Answered ids that are shown, so that their owner can find a request of theirs. */
    private static final int SHOWN_IDS = 64;
    /** Requests that could not be opened that the log shows; {@code status} counts them all. */
    private static final int SHOWN_FAILURES = 20;
    /** Finished ids that are remembered, so that one that comes again is refused. */
    private static final int REMEMBERED_IDS = 4096;

    /** A budget beyond this is none: no request lasts so long. */
    private static final long MOST_BUDGET_MS = Duration.ofDays(1).toMillis();

    private final Answerer answerer;
    private final RequestOpener opener;
    private final String publicKey;
    private final Optional<DeviceSigner> signer;
    private final Limits limits;
    private final NanoClock clock;
    private final Forecast forecast;
    private final Runnable onServed;
    private final MessageEncoder encoder = new MessageEncoder();
    private final DeskCounters counters = new DeskCounters();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ended = lock.newCondition();
    private final Map<RequestId, Work> running = new LinkedHashMap<>(); // guarded by lock
    private final Map<RequestId, Boolean> finished = new LinkedHashMap<>() { // guarded by lock
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<RequestId, Boolean> eldest) {
            return size() > REMEMBERED_IDS;
        }
    };
    private final Deque<String> served = new ArrayDeque<>(); // guarded by lock; the latest first
    private volatile boolean paused;
    private long heldBytes; // guarded by lock; of bodies
    private volatile boolean draining;

    /**
     * Bounds.
     *
     * @param mostInFlight requests that run or wait at a time
     * @param mostBytes of the sealed and the opened bodies of those together; a body counts twice until it is opened
     * @param firstChunk longest time without a token before the first chunk; coordinators give up after 600 s without a chunk
     * @param nextChunk longest time without a token or a chunk after the first
     */
    record Limits(int mostInFlight, long mostBytes, Duration firstChunk, Duration nextChunk) {
        private static final long MOST_BYTES = 256L << 20;
        static final Limits DEFAULT = new Limits(1024, Duration.ofSeconds(570), Duration.ofSeconds(570));

        /** As the other, with the usual bytes. */
        Limits(int mostInFlight, Duration firstChunk, Duration nextChunk) {
            this(mostInFlight, MOST_BYTES, firstChunk, nextChunk);
        }
    }

    /** Knows how the node is doing; any thread. */
    @FunctionalInterface
    interface Forecast {
        /** Foretells when a request would have its first content; as {@link NodeSelf#leastFirstContentMs}. */
        double leastFirstContentMs(String modelId, int promptTokens);

        /**
         * Returns a failure with what its coordinator can plan by, or as it is.
         *
         * @param modelId which model the request is for, once that is known
         */
        default Failure explained(Failure failure, Optional<String> modelId, int promptTokens) {
            return failure;
        }
    }

    /** Where a request stands, for counters and deadlines. */
    private enum Phase { OPENING, WORKING, ANSWERING, ENDED }

    /**
     * Borrows its parts.
     *
     * @param publicKey as registered
     * @param signer signs answers; empty to sign none
     * @param forecast judges requests that must be answered by a time
     * @param onServed hears of each request that was answered whole; any thread
     */
    RequestDesk(Answerer answerer, RequestOpener opener, String publicKey, Optional<DeviceSigner> signer, Limits limits, NanoClock clock,
            Forecast forecast, Runnable onServed) {
        this.forecast = forecast;
        this.onServed = onServed;
        this.answerer = answerer;
        this.opener = opener;
        this.publicKey = publicKey;
        this.signer = signer;
        this.limits = limits;
        this.clock = clock;
    }

    /** One request. */
    private final class Work implements Runnable, SealedSink.Milestones {
        private final RequestId id;
        private final InferenceRequest request;
        private final Content frame;
        private final long bodyBytes;
        private long held; // guarded by lock
        private Optional<String> model = Optional.empty(); // of the request's thread, as is the next
        private int promptTokens = 1;
        private final Outlet outlet;
        private final Presence presence = new Presence();
        private final long beganNanos = clock.nanoTime();
        private final long contentDueNanos;
        private volatile Thread thread;
        private volatile Phase phase = Phase.OPENING;
        private volatile long progressNanos = beganNanos;
        private volatile boolean hasTokens;
        private volatile boolean cancelled;
        private volatile Failure verdict;
        private volatile long cancelNanos;

        Work(InferenceRequest request, Content frame, Outlet outlet) {
            this.id = request.requestId();
            this.request = request;
            this.frame = frame;
            bodyBytes = request.encryptedBody().orElseThrow().ciphertext().byteSize();
            held = heldBytes(request, frame);
            this.outlet = outlet;
            long budgetMs = request.firstContentBudgetMs().orElse(Long.MAX_VALUE);
            contentDueNanos = budgetMs > MOST_BUDGET_MS ? Long.MAX_VALUE : beganNanos + Math.max(0, budgetMs) * 1_000_000;
        }

        @Override
        public void run() {
            try {
                answer();
            } catch (Throwable t) {
                // A request must not take the agent with it; the class says enough, a message might quote.
                log.error("request ended by a defect id={} cause={}", id, t.getClass().getName());
                counters.failed(phase == Phase.ANSWERING);
                tell(new AgentMessage.InferenceError(id, Failure.of(new AgentException(ErrorCode.INTERNAL, "internal failure"))));
            } finally {
                phase = Phase.ENDED;
                frame.close(); // where it did not come to opening it; otherwise it is closed
                if (cancelNanos != 0) {
                    counters.cancelEnded(clock.nanoTime() - cancelNanos);
                }
                leave(this);
            }
        }

        private void answer() {
            EncryptedPayload payload = request.encryptedBody().orElseThrow();
            try (Content body = Content.allocate(payload.ciphertext().byteSize())) {
                RequestBox box;
                try (frame) { // the sealed copy goes as soon as the plain one is there
                    box = opener.open(payload.ephemeralPublicKey(), payload.ciphertext(), body);
                } catch (PayloadFailure e) {
                    log.atLevel(opener.failures() <= SHOWN_FAILURES ? Level.WARN : Level.DEBUG)
                            .log("request not opened id={} reason={}", id, e.reason());
                    counters.failed(false);
                    tell(new AgentMessage.InferenceError(id, Failure.of(e.toAgentException())));
                    return;
                }
                holdOnly(this, bodyBytes);
                try (box; SealedSink sink = new SealedSink(id, outlet, box, publicKey, presence, this,
                        signer.map(_ -> new ResponseHash()))) {
                    answer(body, sink);
                }
            }
        }

        private void answer(Content body, SealedSink sink) {
            try {
                if (presence.isGone()) {
                    throw new AgentException(ErrorCode.CANCELLED, "the request was cancelled");
                }
                tell(new AgentMessage.InferenceAccepted(id));
                phase = Phase.WORKING;
                answerer.answer(id, body, sink);
                Thread.interrupted(); // a cancel that came when everything was sent
                complete(sink);
            } catch (AgentException e) {
                Thread.interrupted();
                failed(e, sink);
            }
        }

        @Override
        public void chosen(String modelId) {
            model = Optional.of(modelId);
            refuseIfTooLate(modelId, promptTokens); // the prompt is not known yet; the load is
        }

        @Override
        public void prepared(String modelId, int tokens) {
            promptTokens = tokens;
            refuseIfTooLate(modelId, tokens);
        }

        private void refuseIfTooLate(String modelId, int tokens) {
            if (contentDueNanos == Long.MAX_VALUE) {
                return;
            }
            double least = forecast.leastFirstContentMs(modelId, tokens) * 1_000_000;
            if (least > 0 && least > contentDueNanos - clock.nanoTime()) {
                verdict = tooLate();
                throw new AgentException(ErrorCode.DEADLINE_EXCEEDED, "the first content is not possible in time");
            }
        }

        @Override
        public void firstChunk() {
            phase = Phase.ANSWERING;
            progressed();
        }

        @Override
        public void chunkSent() {
            counters.chunk();
            progressed();
        }

        @Override
        public void progressed() {
            progressNanos = clock.nanoTime();
            hasTokens = true;
        }

        private void complete(SealedSink sink) {
            var usage = sink.usage();
            Optional<String> hash = sink.hash(id);
            Optional<String> signature = hash.map(text -> signer.orElseThrow().sign(text.getBytes(StandardCharsets.US_ASCII)));
            phase = Phase.ENDED; // the cancel that coordinators send after every answer finds it so
            tell(new AgentMessage.InferenceComplete(id, wire(usage), hash, signature));
            if (!cancelled) {
                counters.served(usage.completionTokens());
                remember(id);
                onServed.run();
            }
        }

        private void failed(AgentException e, SealedSink sink) {
            Failure told = verdict;
            if (told == null && (cancelled || e.code() == ErrorCode.CANCELLED)) {
                return; // whoever cancelled has forgotten the request already (provider protocol, 10)
            }
            counters.failed(sink.hasBegun());
            if (told == null) {
                log.debug("request failed id={} code={}", id, e.code());
                told = Failure.of(e);
            }
            tell(new AgentMessage.InferenceError(id, forecast.explained(told, model, promptTokens)));
        }

        private void tell(AgentMessage message) {
            RequestDesk.this.tell(message, outlet);
        }

        /** Ends the work soon, whatever it is at. */
        void stop(boolean byCoordinator) {
            if (phase == Phase.ENDED) {
                counters.lateCancel();
                return;
            }
            if (byCoordinator && !cancelled) {
                cancelled = true;
                cancelNanos = clock.nanoTime();
                counters.cancelled(phase == Phase.OPENING, phase == Phase.WORKING, phase == Phase.ANSWERING);
            }
            presence.leave();
            Thread at = thread;
            if (at != null) {
                at.interrupt(); // a load that is waited for, a pause between chunks
            }
        }
    }

    private static Failure tooLate() {
        return Failure.of("the first content is not possible in time", 503, FailureCode.CAPACITY, ErrorReason.DEADLINE_UNREACHABLE,
                TerminalCause.ADMISSION_TIMEOUT);
    }

    /** Returns what a request holds until it is opened. */
    private static long heldBytes(InferenceRequest request, Content frame) {
        return frame.length() + request.encryptedBody().orElseThrow().ciphertext().byteSize();
    }

    private void holdOnly(Work work, long bytes) {
        lock.lock();
        try {
            heldBytes -= work.held - bytes;
            work.held = bytes;
        } finally {
            lock.unlock();
        }
    }

    private static Usage wire(dev.darkbloom.agent.chat.Usage usage) {
        return new Usage(usage.promptTokens(), usage.completionTokens(), usage.reasoningTokens(), usage.cachedTokens(), usage.cachedTokens(),
                usage.cachedTokens() > 0 ? Optional.of("hit") : Optional.empty(),
                usage.cachedTokens() > 0 ? Optional.of("memory") : Optional.empty(), OptionalDouble.empty());
    }

    /**
     * Takes a request and the frame that it lies in; answers it or says why not.
     *
     * @param outlet where the answer goes
     */
    void accept(InferenceRequest request, Content frame, Outlet outlet) {
        RequestId id = request.requestId();
        Optional<Failure> refusal = Optional.empty();
        Work work = null;
        lock.lock();
        try {
            if (running.containsKey(id)) {
                // An error under this id would end the request that runs.
                counters.duplicate();
                frame.close();
                return;
            }
            refusal = refusal(request, frame);
            if (refusal.isEmpty()) {
                work = new Work(request, frame, outlet);
                running.put(id, work);
                heldBytes += work.held;
            } else {
                finished.put(id, true);
            }
        } finally {
            lock.unlock();
        }
        if (refusal.isPresent()) {
            frame.close();
            counters.failed(false);
            tell(new AgentMessage.InferenceError(id, forecast.explained(refusal.get(), Optional.empty(), 1)), outlet);
            return;
        }
        Thread thread = Thread.ofVirtual().name("request-" + id.value()).unstarted(work);
        work.thread = thread;
        thread.start();
    }

    private Optional<Failure> refusal(InferenceRequest request, Content frame) {
        if (request.encryptedBody().isEmpty()) {
            return Optional.of(Failure.of("a request has to be encrypted", 400, FailureCode.ENCRYPTION_FAILURE, ErrorReason.CLIENT_ERROR, null));
        }
        if (isDraining()) {
            return Optional.of(Failure.of(new AgentException(ErrorCode.DRAINING, "provider draining for update")));
        }
        if (finished.containsKey(request.requestId())) {
            counters.duplicate();
            return Optional.of(Failure.of("this request id was used before", 400, FailureCode.INVALID_REQUEST, ErrorReason.CLIENT_ERROR, null));
        }
        if (running.size() >= limits.mostInFlight()) {
            return Optional.of(Failure.of(new AgentException(ErrorCode.QUEUE_FULL, running.size() + " requests are in flight")));
        }
        if (heldBytes + heldBytes(request, frame) > limits.mostBytes()) {
            return Optional.of(Failure.of(new AgentException(ErrorCode.QUEUE_FULL, heldBytes + " bytes of requests are in flight")));
        }
        return Optional.empty();
    }

    private void remember(RequestId id) {
        lock.lock();
        try {
            served.addFirst(id.value());
            if (served.size() > SHOWN_IDS) {
                served.removeLast();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Returns the ids of requests that were answered, the latest first. */
    List<String> served() {
        lock.lock();
        try {
            return List.copyOf(served);
        } finally {
            lock.unlock();
        }
    }

    private void leave(Work work) {
        lock.lock();
        try {
            running.remove(work.id);
            heldBytes -= work.held;
            finished.put(work.id, true);
            ended.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Ends a request, within a step of the engine; does nothing for one that is unknown or has ended. */
    void cancel(RequestId id) {
        Work work;
        lock.lock();
        try {
            work = running.get(id);
        } finally {
            lock.unlock();
        }
        if (work == null) {
            counters.lateCancel();
        } else {
            work.stop(true);
        }
    }

    /** Ends every request of a connection that is over. */
    void abandon(Outlet outlet) {
        for (Work work : works()) {
            if (work.outlet == outlet) {
                work.stop(false);
            }
        }
    }

    private List<Work> works() {
        lock.lock();
        try {
            return List.copyOf(running.values());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends what has made no progress for too long, or has missed the time for its first content.
     *
     * @return when to look again, by the clock; {@link Long#MAX_VALUE} when nothing runs
     */
    long check() {
        long next = Long.MAX_VALUE;
        for (Work work : works()) {
            Phase phase = work.phase;
            if (phase == Phase.ENDED || work.verdict != null) {
                continue;
            }
            boolean answering = phase == Phase.ANSWERING;
            long stallsAt = work.progressNanos + (answering ? limits.nextChunk() : limits.firstChunk()).toNanos();
            long due = answering ? stallsAt : Math.min(stallsAt, work.contentDueNanos);
            if (due - clock.nanoTime() > 0) {
                next = Math.min(next, due);
                continue;
            }
            boolean budget = !answering && work.contentDueNanos <= stallsAt;
            work.verdict = budget
                    ? tooLate()
                    : Failure.of("no progress", 504, FailureCode.GENERATION_FAILURE, null,
                            answering || work.hasTokens ? TerminalCause.DECODE_STALL : TerminalCause.PREFILL_STALL);
            work.stop(false);
        }
        return next;
    }

    private void tell(AgentMessage message, Outlet outlet) {
        try (Content frame = Content.confined(512)) {
            encoder.encode(message, frame);
            outlet.send(frame.buffer(), frame.length());
        }
    }

    /** Takes nothing new from now on. */
    void drain() {
        draining = true;
    }

    /** Takes nothing new until {@link #resume}. */
    void pause() {
        paused = true;
    }

    /** Takes requests again, unless the desk drains. */
    void resume() {
        paused = false;
    }

    /** Returns whether nothing is taken, for a while or for good. */
    boolean isDraining() {
        return draining || paused;
    }

    /** Returns whether nothing is taken any more. */
    boolean isEnding() {
        return draining;
    }

    /** Returns how many requests have not ended. */
    int inFlight() {
        lock.lock();
        try {
            return running.size();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until no request is left; returns whether that came true in time. */
    boolean awaitNone(Duration patience) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = patience.toNanos();
            while (!running.isEmpty()) {
                if (left <= 0) {
                    return false;
                }
                left = ended.awaitNanos(left);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Returns what has been done since the process began. */
    ServiceStats stats() {
        return counters.stats();
    }

    /** Returns what this, and what stands before it, has counted. */
    LinkCounts count(LinkBoard board, MessageDecoder decoder) {
        ServiceStats stats = counters.stats();
        var notOpened = new EnumMap<PayloadFailure.Reason, Long>(PayloadFailure.Reason.class);
        for (PayloadFailure.Reason reason : PayloadFailure.Reason.values()) {
            notOpened.put(reason, opener.failures(reason));
        }
        return new LinkCounts(board.attempted(), board.registrations(), board.heartbeats(), board.ends(), inFlight(), stats.requestsServed(),
                counters.requestsFailed(), counters.cancels(), counters.lateCancels(), stats.tokensGenerated(), counters.chunks(), notOpened,
                counters.duplicates(), decoder.unknownTypes(), decoder.unknownFields(), decoder.malformed(),
                board.challengesIgnored());
    }

    /** Returns how many requests were answered by an error. */
    long failed() {
        return counters.requestsFailed();
    }

    /** Returns how many requests could not be opened. */
    long notOpened() {
        return opener.failures();
    }

    /** Ends everything and waits for it. */
    @Override
    public void close() {
        draining = true;
        works().forEach(work -> work.stop(false));
        boolean interrupted = false;
        while (true) {
            try {
                if (awaitNone(Duration.ofSeconds(10))) {
                    break;
                }
                log.warn("requests still run after their connection has ended requests={}", inFlight());
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
