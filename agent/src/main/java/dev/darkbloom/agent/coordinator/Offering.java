package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.AgentMessage;
import java.time.Duration;

/** What is offered to a coordinator, as something that changes while it is connected. {@link CoordinatorLink} is the real one; any thread. */
public interface Offering {
    /** What a switch of models does once nothing runs. */
    @FunctionalInterface
    interface Change {
        void make() throws InterruptedException;
    }

    /** Tells the coordinator what is offered now: models came. One that knows of no such message learns it at the next connection. */
    void offersChanged();

    /**
     * Switches what is offered while no request runs (provider protocol, 17.3): nothing new is taken, what runs is finished, the coordinator is
     * asked whether it agrees, then {@code change} is made and work goes on. Towards a coordinator that knows no such switch it is made, and the
     * connection is made anew. Blocks.
     *
     * @param after what is offered afterwards; not empty
     * @param patience for what runs
     * @return whether the change was made; if not, all is as it was
     * @throws InterruptedException when the calling thread is interrupted; {@code change} may have been made then
     */
    boolean replace(AgentMessage.ModelsUpdate after, Duration patience, Change change) throws InterruptedException;
}
