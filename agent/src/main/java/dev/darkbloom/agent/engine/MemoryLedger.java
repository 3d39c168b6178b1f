package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelOpener.MemoryNeed;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The bytes that models may take, and who has taken them. A reservation is made before anything is allocated and given back after it has
 * been freed, so the sum never passes the budget. Any thread.
 */
public final class MemoryLedger {
    private final long budgetBytes;
    private final AtomicLong reservedBytes = new AtomicLong();

    /**
     * Makes an empty ledger.
     *
     * @param budgetBytes bytes for all models together; {@link Long#MAX_VALUE} for no limit
     */
    public MemoryLedger(long budgetBytes) {
        if (budgetBytes < 0) {
            throw new IllegalArgumentException("budget of " + budgetBytes + " bytes");
        }
        this.budgetBytes = budgetBytes;
    }

    public long budgetBytes() {
        return budgetBytes;
    }

    public long reservedBytes() {
        return reservedBytes.get();
    }

    public long freeBytes() {
        return budgetBytes - reservedBytes.get();
    }

    /**
     * Reserves what a model needs: weights, context and compute buffers.
     *
     * @throws AgentException {@code OUT_OF_MEMORY} with the bytes needed and the bytes free; nothing is reserved then
     */
    public Reservation reserve(String modelId, MemoryNeed need) {
        long bytes = need.totalBytes();
        while (true) {
            long reserved = reservedBytes.get();
            if (bytes > budgetBytes - reserved) {
                throw refusal(modelId, bytes, budgetBytes - reserved);
            }
            if (reservedBytes.compareAndSet(reserved, reserved + bytes)) {
                return new Reservation(modelId, need);
            }
        }
    }

    /** Returns the error that says that a model does not fit, in bytes. */
    AgentException refusal(String modelId, long neededBytes, long freeBytes) {
        return new AgentException(ErrorCode.OUT_OF_MEMORY, "model " + modelId + " needs " + neededBytes + " bytes; " + freeBytes + " of "
                + budgetBytes + " are free");
    }

    /** Bytes held for one model until closed. */
    public final class Reservation implements AutoCloseable {
        private final String modelId;
        private volatile MemoryNeed need; // changed by resize
        private final AtomicBoolean closed = new AtomicBoolean();

        private Reservation(String modelId, MemoryNeed need) {
            this.modelId = modelId;
            this.need = need;
        }

        public String modelId() {
            return modelId;
        }

        public MemoryNeed need() {
            return need;
        }

        /**
         * Takes what another form of the model needs instead. Called by whoever will close this, before the form is allocated.
         *
         * @return false when there is not so much; the reservation is as before then
         */
        public boolean resize(MemoryNeed other) {
            if (closed.get()) {
                throw new IllegalStateException("the reservation of " + modelId + " has been given back");
            }
            long more = other.totalBytes() - need.totalBytes();
            while (true) {
                long reserved = reservedBytes.get();
                if (more > budgetBytes - reserved) {
                    return false;
                }
                if (reservedBytes.compareAndSet(reserved, reserved + more)) {
                    need = other;
                    return true;
                }
            }
        }

        /** Gives the bytes back. A second call does nothing. */
        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                reservedBytes.addAndGet(-need.totalBytes());
            }
        }
    }
}
