package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.LastHttpContent;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * Carries one answer from the request's thread to the connection.
 *
 * <p>Bytes are collected in a direct buffer; the event loop takes what has come together, writes it as one chunk and flushes once. So a
 * busy loop sends fewer, larger pieces by itself, and an idle one sends each event at once. This is the only place that flushes a stream.
 *
 * <p>The request's thread waits in {@link #append} while more than the limit has been accepted and not yet written to the socket. It
 * waits without a deadline of its own: {@link ConnectionClock} closes a connection whose reader takes nothing, and that ends the wait.
 */
final class Outbox {
    private static final int FIRST_BYTES = 512;

    private final Channel channel;
    private final Presence presence;
    private final int unsentLimit;
    private final Consumer<HttpResponse> finished;

    /** Guards what follows it. The event loop takes it for a few assignments only; nobody sleeps holding it. */
    private final ReentrantLock lock = new ReentrantLock();

    private final Condition room = lock.newCondition();
    private HttpResponse head;
    private ByteBuf filling;
    private boolean ended;
    private boolean scheduled;
    private long unsent;

    /** Event loop only: the head that was written. */
    private HttpResponse written;

    /**
     * @param channel where answers go; borrowed
     * @param presence the client; when it leaves, waiting ends
     * @param unsentLimit bytes accepted and not yet written, beyond which {@link #append} waits
     * @param finished told the head, on the event loop, when the last byte has been written; a connection that cannot be written to is
     *     closed instead
     */
    Outbox(Channel channel, Presence presence, int unsentLimit, Consumer<HttpResponse> finished) {
        this.channel = channel;
        this.presence = presence;
        this.unsentLimit = unsentLimit;
        this.finished = finished;
        presence.onGone(this::abandon);
    }

    /** Begins the answer. */
    void start(HttpResponse response) {
        lock.lock();
        try {
            head = response;
            schedule();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Adds the bytes of {@code first} and {@code second}, waiting for room first.
     *
     * @throws AgentException {@code CANCELLED} when the client is gone or the thread is interrupted
     */
    void append(MemorySegment first, MemorySegment second) {
        lock.lock();
        try {
            while (unsent > unsentLimit && !presence.isGone()) {
                room.await();
            }
            requirePresence();
            int bytes = Math.toIntExact(first.byteSize() + second.byteSize());
            if (filling == null) {
                filling = channel.alloc().directBuffer(Math.max(bytes, FIRST_BYTES));
            }
            copy(first);
            copy(second);
            unsent += bytes;
            schedule();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw gone();
        } finally {
            lock.unlock();
        }
    }

    /** Ends the answer. */
    void end() {
        lock.lock();
        try {
            ended = true;
            schedule();
        } finally {
            lock.unlock();
        }
    }

    private void copy(MemorySegment source) {
        int bytes = (int) source.byteSize();
        filling.ensureWritable(bytes);
        int at = filling.writerIndex();
        MemorySegment.ofBuffer(filling.internalNioBuffer(at, bytes)).copyFrom(source);
        filling.writerIndex(at + bytes);
    }

    private void requirePresence() {
        if (presence.isGone()) {
            throw gone();
        }
    }

    private static AgentException gone() {
        return new AgentException(ErrorCode.CANCELLED, "the client went away");
    }

    /** Under the lock: has the event loop come for what is there, unless it has been asked already. */
    private void schedule() {
        if (scheduled || presence.isGone()) {
            return;
        }
        try {
            channel.eventLoop().execute(this::send);
            scheduled = true;
        } catch (RejectedExecutionException _) {
            // The server has closed; the connection went with it.
            throw gone();
        }
    }

    /** Event loop. */
    private void send() {
        HttpResponse response;
        ByteBuf bytes;
        boolean last;
        lock.lock();
        try {
            scheduled = false;
            response = head;
            bytes = filling;
            last = ended;
            head = null;
            filling = null;
        } finally {
            lock.unlock();
        }
        if (response != null) {
            written = response;
            channel.write(response);
        }
        if (bytes != null) {
            int count = bytes.readableBytes();
            channel.write(new DefaultHttpContent(bytes)).addListener(_ -> sent(count));
        }
        if (last) {
            channel.write(LastHttpContent.EMPTY_LAST_CONTENT).addListener(outcome -> {
                if (outcome.isSuccess()) {
                    finished.accept(written);
                } else {
                    channel.close();
                }
            });
        }
        channel.flush();
    }

    private void sent(int bytes) {
        lock.lock();
        try {
            unsent -= bytes;
            room.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Drops what nobody will read and ends every wait. */
    private void abandon() {
        lock.lock();
        try {
            if (filling != null) {
                filling.release();
                filling = null;
            }
            room.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
