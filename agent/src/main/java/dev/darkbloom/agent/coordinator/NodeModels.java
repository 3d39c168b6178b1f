package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import java.util.List;

/** The models of this node, and what a coordinator may have done with them. Any thread. */
public interface NodeModels {
    /**
     * A model that is offered.
     *
     * @param hasTools whether a forced call of a tool is enforced on it
     */
    record Offer(String id, long sizeBytes, String quantization, boolean hasTools) {}

    /** Hears how a build comes; by the thread that fetches it, and in a hurry. */
    interface PrefetchNews {
        /** Bytes that are here, and all of them. */
        void downloading(long bytesDone, long bytesTotal);

        /** It is on disk, checked, and offered. */
        void verified();

        /** It does not come; {@code why} is for the coordinator and names nothing of this machine. */
        void failed(String why);
    }

    /** Returns what is offered now, in the order of the settings. Never blocks. */
    List<Offer> offers();

    /**
     * Loads a model and waits until it serves.
     *
     * @throws dev.darkbloom.agent.base.AgentException why it does not
     */
    void load(String modelId) throws InterruptedException;

    /**
     * Has a build fetched to disk. Returns at once; {@code news} ends with {@code verified} or {@code failed}, perhaps before this returns.
     *
     * @param priority builds with a higher one come first
     */
    void prefetch(String modelId, long priority, PrefetchNews news);

    /** Takes the whole list of builds that the coordinator would like here, in place of the one before. Returns at once. */
    void desired(List<DesiredModel> models);
}
