package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.coordinator.LinkCounts.CancelStage;
import dev.darkbloom.agent.protocol.ServiceStats;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What a {@link RequestDesk} has done; counters only grow, over reconnects too. Any thread. */
final class DeskCounters {
    private final LongAdder served = new LongAdder();
    private final LongAdder tokens = new LongAdder();
    private final LongAdder duplicates = new LongAdder();
    private final LongAdder cancels = new LongAdder();
    private final LongAdder cancelsBeforeOutput = new LongAdder();
    private final LongAdder cancelsPartial = new LongAdder();
    private final LongAdder cancelsOpening = new LongAdder();
    private final LongAdder cancelsWorking = new LongAdder();
    private final LongAdder cancelsLate = new LongAdder();
    private final LongAdder cancelNanos = new LongAdder();
    private final LongAdder chunks = new LongAdder();
    private final LongAdder failures = new LongAdder();
    private final LongAdder failuresAfterOutput = new LongAdder();

    void served(long completionTokens) {
        served.increment();
        tokens.add(completionTokens);
    }

    void failed(boolean afterOutput) {
        failures.increment();
        if (afterOutput) {
            failuresAfterOutput.increment();
        }
    }

    void duplicate() {
        duplicates.increment();
    }

    void cancelled(boolean opening, boolean working, boolean answering) {
        cancels.increment();
        (answering ? cancelsPartial : cancelsBeforeOutput).increment();
        if (opening) {
            cancelsOpening.increment();
        } else if (working) {
            cancelsWorking.increment();
        }
    }

    /** Counts a cancel for a request that has ended, as one comes after each. */
    void lateCancel() {
        cancelsLate.increment();
    }

    /** Counts the time between a cancel and the end of its work. */
    void cancelEnded(long nanos) {
        cancelNanos.add(nanos);
    }

    void chunk() {
        chunks.increment();
    }

    long chunks() {
        return chunks.sum();
    }

    long duplicates() {
        return duplicates.sum();
    }

    long lateCancels() {
        return cancelsLate.sum();
    }

    /** Returns the cancels of requests that had not ended, by where those stood. */
    Map<CancelStage, Long> cancels() {
        return Map.of(CancelStage.OPENING, cancelsOpening.sum(), CancelStage.WORKING, cancelsWorking.sum(), CancelStage.ANSWERING,
                cancelsPartial.sum());
    }

    long requestsFailed() {
        return failures.sum();
    }

    ServiceStats stats() {
        return new ServiceStats(served.sum(), tokens.sum(), cancels.sum(), cancelsBeforeOutput.sum(), cancelsPartial.sum(),
                failuresAfterOutput.sum(), 0, 0, 0, 0, cancelsOpening.sum(), 0, cancelsWorking.sum(), cancelsPartial.sum(), cancelsLate.sum(), 0,
                cancelNanos.sum());
    }
}
