package dev.darkbloom.agent.service.builds;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.models.builds.FetchedBuild;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A build on its way, or one that has come or not. Changed by the thread that fetches; any thread may look.
 *
 * @see BuildDownloads
 */
public final class Download {
    private final String buildId;
    private final Optional<String> aggregateSha256;
    private final long priority;
    private final long order;
    final List<Listener> listeners = new CopyOnWriteArrayList<>();
    private volatile State state = State.WAITING;
    private volatile long bytesDone;
    private volatile long bytesTotal;
    private volatile Optional<AgentException> problem = Optional.empty();

    /** How far it is. */
    public enum State { WAITING, FETCHING, DONE, FAILED, CANCELLED }

    /** Hears how it goes on; by the thread that fetches, or by the one that asks when it is over already. */
    public interface Listener {
        /** More bytes came; often. */
        void at(long bytesDone, long bytesTotal);

        /** It is over: the build, or why there is none. */
        void ended(Optional<FetchedBuild> build, Optional<AgentException> problem);
    }

    Download(String buildId, Optional<String> aggregateSha256, long priority, long order) {
        this.buildId = buildId;
        this.aggregateSha256 = aggregateSha256;
        this.priority = priority;
        this.order = order;
    }

    public String buildId() {
        return buildId;
    }

    /** Returns the hash that the build must have; empty for whatever the catalogue's manifest says. */
    Optional<String> aggregateSha256() {
        return aggregateSha256;
    }

    long priority() {
        return priority;
    }

    long order() {
        return order;
    }

    public State state() {
        return state;
    }

    /** Returns the bytes that are here. */
    public long bytesDone() {
        return bytesDone;
    }

    /** Returns the bytes of the whole model; 0 until its manifest was read. */
    public long bytesTotal() {
        return bytesTotal;
    }

    /** Returns why it failed. */
    public Optional<AgentException> problem() {
        return problem;
    }

    boolean isOver() {
        return state != State.WAITING && state != State.FETCHING;
    }

    void begin() {
        state = State.FETCHING;
    }

    void at(long done, long total) {
        bytesDone = done;
        bytesTotal = total;
        listeners.forEach(listener -> listener.at(done, total));
    }

    void end(State how, Optional<FetchedBuild> build, Optional<AgentException> why) {
        problem = why;
        state = how;
        listeners.forEach(listener -> listener.ended(build, why));
    }
}
