package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.coordinator.CoordinatorSocket.Unopened;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.DeviceSigner;
import dev.darkbloom.agent.crypto.ReplayGuard;
import dev.darkbloom.agent.crypto.RequestOpener;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.MessageDecoder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connection to a coordinator, kept up: it dials, registers, serves, and comes back from every failure by itself until it is closed.
 *
 * <p>Owned by {@code service}. All methods are for any thread. Retrying lives here and never inside a connection.
 */
public final class CoordinatorLink implements Offering, LinkCounts.Source, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(CoordinatorLink.class);
    private static final Duration LOOP_LIMIT = Duration.ofSeconds(2);
    /** What each step of a switch of models may take; settling what was accepted may take the coordinator a while. */
    private static final long REPLACE_MILLIS = 30_000;
    /** Connections in a row that another agent of this machine may take over before this one gives way. */
    private static final int MOST_REPLACED = 2;
    /** Connections in a row that may be closed because of what was said on them before somebody should look (provider protocol, 1.1). */
    private static final int MOST_VIOLATIONS = 3;
    private static final String VIOLATION_WARNING = "several connections in a row were closed because of a message that is not in the other side's "
            + "protocol: update darkbloom-agent, or the coordinator";

    private final CoordinatorRoute route;
    private final NodeSelf self;
    private final LinkSettings settings;
    private final LinkClocks clocks;
    private final RandomGenerator random;
    private final LinkBoard board;
    private final Optional<TrustFile> trusts;
    private final RequestDesk desk;
    private final MessageDecoder decoder = new MessageDecoder();
    private final EventLoopGroup loop;
    private final Thread thread;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private Session session; // guarded by lock, as are the next five
    private Instant barrierOf; // the connection on which the end was announced
    private String barrier = "";
    private long settleUntil; // of the thread that drains
    private boolean stopping;
    private boolean hurry;
    private long renewals;
    private volatile Optional<ListWatch> watch = Optional.empty();

    /**
     * What a link is made of.
     *
     * @param keys this process's key pair; borrowed
     * @param signer signs answers; empty to sign none
     * @param trusts keeps what the coordinator says it thinks of this node, if anything does
     */
    public record Parts(CoordinatorRoute route, NodeSelf self, Answerer answerer, BoxKeys keys, Optional<DeviceSigner> signer,
            Duration heartbeat, String userAgent, Optional<TrustFile> trusts) {
        /** As the other, with nothing that keeps what the coordinator says. */
        Parts(CoordinatorRoute route, NodeSelf self, Answerer answerer, BoxKeys keys, Optional<DeviceSigner> signer, Duration heartbeat,
                String userAgent) {
            this(route, self, answerer, keys, signer, heartbeat, userAgent, Optional.empty());
        }
    }

    private CoordinatorLink(Parts parts, LinkSettings settings, LinkClocks clocks, RandomGenerator random) {
        route = parts.route();
        self = parts.self();
        trusts = parts.trusts();
        this.settings = settings;
        this.clocks = clocks;
        this.random = random;
        board = new LinkBoard(clocks.wall());
        desk = new RequestDesk(parts.answerer(), new RequestOpener(parts.keys(), new ReplayGuard()), parts.keys().publicKey(), parts.signer(),
                settings.desk(), clocks.nanos(), new LinkForecast(self, board), board::served);
        loop = new MultiThreadIoEventLoopGroup(1, CoordinatorLink::ioThread, NioIoHandler.newFactory());
        thread = Thread.ofPlatform().daemon().name("coordinator").unstarted(this::run);
        if (settings.listPages()) {
            watch = Optional.of(new ListWatch(new CoordinatorHttp(route), self.signingKey(), board, clocks.wall(), this::forgotten));
        }
    }

    /** Starts to connect, and returns at once. */
    public static CoordinatorLink start(Parts parts) {
        return start(parts, LinkSettings.defaults(parts.userAgent()).withHeartbeat(parts.heartbeat()), LinkClocks.ofThisSystem(),
                RandomGenerator.getDefault());
    }

    static CoordinatorLink start(Parts parts, LinkSettings settings, LinkClocks clocks, RandomGenerator random) {
        var link = new CoordinatorLink(parts, settings, clocks, random);
        link.thread.start();
        link.watch.ifPresent(watching -> watching.start(settings.listing()));
        return link;
    }

    private static Thread ioThread(Runnable task) {
        var made = new FastThreadLocalThread(task, "coordinator-io");
        made.setDaemon(true);
        return made;
    }

    private void run() {
        var backoff = Backoff.standard(random);
        int replaced = 0;
        int refusedMessages = 0;
        try {
            while (!isStopping()) {
                long begun = Long.MIN_VALUE;
                LinkEnd end;
                try {
                    board.connecting();
                    long renewed = renewals();
                    AgentMessage.Register registration = self.registration();
                    try (var socket = CoordinatorSocket.open(route, settings.socket(), loop)) {
                        begun = clocks.elapsed().nanos();
                        end = serve(socket, registration, renewed);
                    }
                } catch (Unopened e) {
                    end = e.end();
                } catch (AgentException e) {
                    end = LinkEnd.of(e);
                } catch (RuntimeException e) {
                    log.error("the connection ended by a defect", e);
                    end = new LinkEnd(LinkEnd.Kind.LOST, e.getClass().getSimpleName());
                }
                Duration lasted = begun == Long.MIN_VALUE ? Duration.ZERO : Duration.ofNanos(clocks.elapsed().nanos() - begun);
                boolean hasLasted = lasted.compareTo(Backoff.LASTED) >= 0; // then it is no end "in a row"
                replaced = end.kind() != LinkEnd.Kind.REPLACED ? 0 : hasLasted ? 1 : replaced + 1;
                refusedMessages = end.kind() != LinkEnd.Kind.VIOLATION ? 0 : hasLasted ? 1 : refusedMessages + 1;
                board.warn(refusedMessages < MOST_VIOLATIONS ? Optional.empty() : Optional.of(VIOLATION_WARNING));
                pauseAfter(end, lasted, backoff, replaced);
            }
        } catch (InterruptedException e) {
            log.debug("the link's thread was interrupted");
        } finally {
            board.ended(new LinkEnd(LinkEnd.Kind.STOPPED, "closed"), LinkState.STOPPED, 0, null);
        }
    }

    private long renewals() {
        lock.lock();
        try {
            return renewals;
        } finally {
            lock.unlock();
        }
    }

    /** Serves on {@code socket}, but not for long when something was renewed after {@code registration} was made. */
    private LinkEnd serve(CoordinatorSocket socket, AgentMessage.Register registration, long renewed) throws InterruptedException {
        var serving = new Session(socket, self, desk, decoder, settings, clocks, board, trusts);
        lock.lock();
        try {
            session = serving;
            if (stopping) {
                serving.ask(() -> serving.end(stopped()));
            } else if (renewals != renewed) {
                serving.ask(() -> serving.end(renewed()));
            }
        } finally {
            lock.unlock();
        }
        try {
            return serving.run(registration);
        } finally {
            lock.lock();
            try {
                session = null;
            } finally {
                lock.unlock();
            }
        }
    }

    private static LinkEnd stopped() {
        return new LinkEnd(LinkEnd.Kind.STOPPED, "closed");
    }

    private void pauseAfter(LinkEnd end, Duration lasted, Backoff backoff, int replaced) throws InterruptedException {
        if (isStopping()) {
            return;
        }
        if (replaced >= MOST_REPLACED) {
            board.ended(end, LinkState.REPLACED, backoff.failures(), null);
            await(Long.MAX_VALUE);
            return;
        }
        Duration wait = backoff.afterConnectionOf(lasted);
        if (end.kind().needsPerson()) {
            long nanos = settings.forPerson().toNanos();
            wait = Duration.ofNanos(nanos / 2 + random.nextLong(nanos / 2 + 1));
        }
        wait = end.retryAfter().map(wait::plus).orElse(wait); // not all at once then, either
        board.ended(end, end.kind().state(), backoff.failures(), clocks.wall().instant().plus(wait));
        if (wait.compareTo(NodeSelf.MEASURED_FOR) < 0) {
            Thread.ofVirtual().name("task-posture").start(this::prepare); // a Mac's tools take as long as the pause
        }
        await(wait.toNanos());
    }

    private void prepare() {
        try {
            self.prepare();
        } catch (RuntimeException e) {
            log.warn("not measured ahead error={}", e.getClass().getName()); // the registration measures, and fails in its own way
        }
    }

    /** Waits, but not for somebody who wants to stop or to connect at once. */
    private void await(long nanos) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = nanos;
            while (!stopping && !hurry && left > 0) {
                left = left == Long.MAX_VALUE ? awaitForever() : changed.awaitNanos(left);
            }
            hurry = false;
        } finally {
            lock.unlock();
        }
    }

    private long awaitForever() throws InterruptedException {
        changed.await();
        return Long.MAX_VALUE;
    }

    private boolean isStopping() {
        lock.lock();
        try {
            return stopping;
        } finally {
            lock.unlock();
        }
    }

    private void forgotten() {
        ask(at -> at.end(new LinkEnd(LinkEnd.Kind.FORGOTTEN, "the coordinator's list does not show this node any more")));
    }

    /** Connects anew, at once: what is to be told has changed, for instance the account. */
    public void renew() {
        lock.lock();
        try {
            hurry = true;
            renewals++;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        ask(at -> at.end(renewed()));
    }

    private static LinkEnd renewed() {
        return new LinkEnd(LinkEnd.Kind.RENEWED, "what is told has changed");
    }

    @Override
    public void offersChanged() {
        ask(Session::offersChanged);
    }

    @Override
    public boolean replace(AgentMessage.ModelsUpdate after, Duration patience, Change change) throws InterruptedException {
        String id = UUID.randomUUID().toString();
        String drain = UUID.randomUUID().toString();
        if (isStopping() || desk.isEnding()) {
            return false;
        }
        boolean told = board.isLater() && board.connectedAt().isPresent();
        boolean known = true;
        desk.pause();
        try {
            ask(Session::heartbeat);
            if (!desk.awaitNone(patience)) {
                log.info("models are not switched now: requests still run requests={}", desk.inFlight());
                return false;
            }
            if (told) {
                ask(at -> at.send(new AgentMessage.ProviderDrain(drain)));
                if (!board.awaitDrained(drain, REPLACE_MILLIS) || !agreed(id, drain, after, true)) {
                    return false;
                }
            }
            change.make();
            known = told && agreed(id, drain, after, false);
        } catch (RuntimeException e) {
            known = false;
            throw e;
        } finally {
            desk.resume();
            if (known) {
                ask(Session::heartbeat);
            } else {
                renew(); // whatever the coordinator believes, a registration says how it is
            }
        }
        if (known) {
            ask(at -> at.ready(id, drain));
        }
        return true;
    }

    private boolean agreed(String id, String drain, AgentMessage.ModelsUpdate after, boolean validateOnly) throws InterruptedException {
        ask(at -> at.send(new AgentMessage.ModelsReplace(id, drain, after.models(), validateOnly, after.toolConstraints())));
        var ack = board.awaitReplaced(id, validateOnly, REPLACE_MILLIS);
        if (ack.isPresent() && !ack.get().accepted()) {
            log.warn("the coordinator does not take the models in place of those before validateOnly={} why={}", validateOnly,
                    ack.get().error().map(LinkEnd::plain).orElse(""));
        }
        return ack.isPresent() && ack.get().accepted();
    }

    private void ask(java.util.function.Consumer<Session> action) {
        lock.lock();
        try {
            if (session != null) {
                Session at = session;
                at.ask(() -> action.accept(at));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Returns how things stand. */
    @Override
    public LinkStatus status() {
        var stats = desk.stats();
        return board.status(route.address(), route.proxy().map(ProxyChoice::toString), new LinkStatus.Traffic(desk.inFlight(), stats.requestsServed(),
                desk.failed(), stats.cancellationsReceived(), stats.tokensGenerated(), desk.notOpened(), decoder.unknownTypes(),
                decoder.malformed(), desk.served()));
    }

    @Override
    public LinkCounts counts() {
        return desk.count(board, decoder);
    }

    /** Returns how many requests have not ended. */
    public int inFlight() {
        return desk.inFlight();
    }

    /**
     * Takes nothing new, and waits until what runs has ended and, where the coordinator knows drains, until it says that what was answered is
     * settled there (provider protocol, 11), for {@link LinkSettings#settling} at most. The connection stays. Calling it again goes on waiting.
     *
     * @return whether all that came true in time
     */
    public boolean drain(Duration patience) throws InterruptedException {
        long deadline = System.nanoTime() + patience.toNanos();
        if (!desk.isEnding()) {
            desk.drain();
            board.draining();
            ask(Session::heartbeat);
        }
        announceEnd();
        if (!desk.awaitNone(patience)) {
            return false;
        }
        Optional<String> announced = announceEnd(); // of another connection perhaps, than before
        if (announced.isEmpty()) {
            return true;
        }
        long now = System.nanoTime();
        if (settleUntil == 0) {
            settleUntil = now + settings.settling().toNanos();
        }
        long millis = Math.max(0, Math.min(deadline, settleUntil) - now) / 1_000_000 + 2; // to behind that moment, not just before it
        if (board.awaitDrained(announced.get(), millis)
                || board.laterConnection().isEmpty()) { // nobody is left to settle with
            return true;
        }
        if (System.nanoTime() - settleUntil < 0) {
            return false;
        }
        log.info("the coordinator did not acknowledge the drain; nothing runs here any more");
        return true;
    }

    /** Tells the coordinator, once on a connection, that this node will leave; returns by which id it acknowledges that, if it knows drains. */
    private Optional<String> announceEnd() {
        lock.lock();
        try {
            Optional<Instant> connection = board.laterConnection();
            if (connection.isEmpty()) {
                return Optional.empty();
            }
            if (!connection.get().equals(barrierOf)) {
                barrierOf = connection.get();
                barrier = UUID.randomUUID().toString();
                String id = barrier;
                ask(at -> at.send(new AgentMessage.ProviderDrain(id)));
            }
            return Optional.of(barrier);
        } finally {
            lock.unlock();
        }
    }

    /** Closes the connection and ends what still runs. A second call does nothing. */
    @Override
    public void close() {
        lock.lock();
        try {
            stopping = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        watch.ifPresent(ListWatch::close);
        ask(at -> at.end(stopped()));
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                if (!thread.join(Duration.ofSeconds(5))) {
                    thread.interrupt(); // it dials, or measures
                }
            } catch (InterruptedException e) {
                interrupted = true;
                thread.interrupt();
            }
        }
        desk.close();
        loop.shutdownGracefully(0, LOOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS).awaitUninterruptibly();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
