package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import io.netty.buffer.ByteBuf;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One request's body on its way out of the connection's buffers into the request's own memory.
 *
 * <p>Owned by the event loop while bytes come, then by the request's thread, which closes it. Counts against its route's cap and against
 * what all bodies may hold together.
 */
final class BodyIntake implements AutoCloseable {
    /** A declared length is believed up to here; memory beyond it is taken as bytes arrive. */
    private static final long FIRST_BYTES = 256 << 10;

    private final Route route;
    private final Budget budget;
    private final Content content;
    private boolean closed;

    /**
     * The bytes that all bodies may hold together. Content grows by doubling, so memory in use is up to twice that. Any thread.
     *
     * @param limit bytes
     */
    record Budget(long limit, AtomicLong used) {
        Budget(long limit) {
            this(limit, new AtomicLong());
        }

        private boolean take(int bytes) {
            if (used.addAndGet(bytes) > limit) {
                used.addAndGet(-bytes);
                return false;
            }
            return true;
        }

        private void giveBack(long bytes) {
            used.addAndGet(-bytes);
        }
    }

    /**
     * @param declaredBytes {@code Content-Length}; 0 where unknown
     */
    BodyIntake(Route route, Budget budget, long declaredBytes) {
        this.route = route;
        this.budget = budget;
        content = Content.allocate(Math.min(declaredBytes, FIRST_BYTES));
    }

    /**
     * Copies what {@code bytes} holds.
     *
     * @throws AgentException {@code PAYLOAD_TOO_LARGE} beyond the route's cap, {@code OUT_OF_MEMORY} beyond all bodies' limit
     */
    void append(ByteBuf bytes) {
        int size = bytes.readableBytes();
        if (content.length() + size > route.bodyCap()) {
            throw Refusals.tooLarge(route);
        }
        if (!budget.take(size)) {
            throw new AgentException(
                    ErrorCode.OUT_OF_MEMORY, "request bodies hold " + budget.limit() + " bytes together, as much as they may");
        }
        for (ByteBuffer part : bytes.nioBuffers()) {
            content.append(MemorySegment.ofBuffer(part));
        }
    }

    /** Returns the body; owned by this. */
    Content content() {
        return content;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            budget.giveBack(content.length());
            content.close();
        }
    }
}
