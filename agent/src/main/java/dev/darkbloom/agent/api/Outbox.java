package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Presence;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * Carries one answer to the connection, from the request's thread or from the event loop itself.
 *
 * <p>Bytes are collected in a direct buffer; the event loop takes what has come together, writes it as one chunk and flushes once. So a
 * busy loop sends fewer, larger pieces by itself, and an idle one sends each event at once. This is the only place that flushes a stream.
 * Chunks are framed here and go past Netty's encoder, which would make five objects of each.
 *
 * <p>Any other thread waits in {@link #append} while more than the limit has been accepted and not yet written to the socket; the event loop
 * asks {@link #hasRoom} instead. The wait has no deadline of its own: {@link ConnectionClock} closes a connection whose reader takes nothing,
 * and that ends the wait.
 */
final class Outbox {
    private final Channel channel;
    private final Presence presence;
    private final int unsentLimit;
    private final Consumer<HttpResponse> finished;
    private final ChannelHandlerContext encoder;
    private final Runnable send = this::send; // once: sending allocates nothing

    /** Guards what follows it. The event loop takes it for a few assignments only; nobody sleeps holding it. */
    private final ReentrantLock lock = new ReentrantLock();

    private final Condition room = lock.newCondition();
    private HttpResponse head;
    private OutboxBuffer filling;
    private OutboxBuffer spare;
    private boolean ended;
    private boolean scheduled;
    /** Bytes in the socket's queue when it was last looked at. */
    private long queued;
    private boolean lackedRoom;
    private Runnable roomAction = () -> { };

    /** Event loop only: the head that was written, and whether its body comes in chunks. */
    private HttpResponse written;
    private boolean chunked;

    /**
     * Event loop.
     *
     * @param channel where answers go, through a {@link HttpResponseEncoder}; borrowed
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
        this.encoder = channel.pipeline().context(HttpResponseEncoder.class);
        presence.onGone(this::abandon);
    }

    /** Returns the thread that writes. */
    Executor loop() {
        return channel.eventLoop();
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
     * Adds the bytes of {@code first} and {@code second}, waiting for room first unless this is the event loop.
     *
     * @throws AgentException {@code CANCELLED} when the client is gone or the thread is interrupted
     */
    void append(MemorySegment first, MemorySegment second) {
        append(first, first.byteSize(), second);
    }

    /** As {@link #append(MemorySegment, MemorySegment)}, of {@code first} only its beginning. */
    void append(MemorySegment first, long firstBytes, MemorySegment second) {
        boolean mayWait = !channel.eventLoop().inEventLoop();
        lock.lock();
        try {
            while (mayWait && unsent() > unsentLimit && !presence.isGone()) {
                lackedRoom = true;
                room.await();
            }
            requirePresence();
            if (filling == null) {
                filling = spare != null ? spare : new OutboxBuffer(channel.alloc());
                spare = null;
            }
            filling.append(first, firstBytes);
            filling.append(second, second.byteSize());
            schedule();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw gone();
        } finally {
            lock.unlock();
        }
    }

    private long unsent() {
        return queued + (filling == null ? 0 : filling.size());
    }

    /** Returns whether less than the limit waits to be written. */
    boolean hasRoom() {
        lock.lock();
        try {
            boolean has = unsent() <= unsentLimit;
            lackedRoom |= !has;
            return has;
        } finally {
            lock.unlock();
        }
    }

    /** Has {@code action} run on the event loop whenever there is room after {@link #hasRoom} or a wait has found none. */
    void onRoom(Runnable action) {
        lock.lock();
        try {
            roomAction = action;
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
            channel.eventLoop().execute(send);
            scheduled = true;
        } catch (RejectedExecutionException _) {
            // The server has closed; the connection went with it.
            throw gone();
        }
    }

    /** Event loop. */
    private void send() {
        HttpResponse response;
        OutboxBuffer bytes;
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
            chunked = HttpUtil.isTransferEncodingChunked(response);
            channel.write(response);
        }
        if (bytes != null) {
            encoder.write(bytes.toWrite(chunked), encoder.voidPromise());
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
        afterFlush(bytes, last);
    }

    private void afterFlush(OutboxBuffer bytes, boolean last) {
        if (bytes != null) {
            keep(bytes, last);
        } else if (last) {
            dropSpare();
        }
        lookAtQueue();
    }

    /** Keeps a buffer for the next bytes, unless some of it still waits for the socket. */
    private void keep(OutboxBuffer bytes, boolean last) {
        OutboxBuffer dropped = bytes;
        lock.lock();
        try {
            if (!last && bytes.isWritten() && spare == null && !presence.isGone()) {
                bytes.clear();
                spare = bytes;
                dropped = null;
            }
        } finally {
            lock.unlock();
        }
        if (dropped != null) {
            dropped.release();
        }
        if (last) {
            dropSpare();
        }
    }

    private void dropSpare() {
        OutboxBuffer dropped;
        lock.lock();
        try {
            dropped = spare;
            spare = null;
        } finally {
            lock.unlock();
        }
        if (dropped != null) {
            dropped.release();
        }
    }

    /** Event loop: takes note of what the socket has taken; called after a write and when the channel has become writable again. */
    void lookAtQueue() {
        ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
        boolean tell = false;
        lock.lock();
        try {
            queued = buffer == null ? 0 : buffer.totalPendingWriteBytes();
            if (lackedRoom && unsent() <= unsentLimit) {
                lackedRoom = false;
                tell = true;
                room.signal();
            }
        } finally {
            lock.unlock();
        }
        if (tell) {
            roomAction.run();
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
        dropSpare();
    }
}
