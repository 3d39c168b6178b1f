package dev.darkbloom.agent.coordinator;

import java.lang.foreign.MemorySegment;

/** Where frames of one connection go. Any thread. */
interface Outlet {
    /**
     * Sends one frame; does nothing once the connection is over.
     *
     * @param frame UTF-8 of a JSON object; copied
     * @param size how many of its bytes count
     */
    void send(MemorySegment frame, long size);

    /**
     * Waits until more may be sent.
     *
     * @param nanos longest wait
     * @return false when there was no room in time
     */
    boolean awaitRoom(long nanos) throws InterruptedException;
}
