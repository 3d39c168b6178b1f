package dev.darkbloom.agent.coordinator;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Closes a stream under its reader when nothing has come for too long: the JDK's HTTP client waits for a body for ever.
 *
 * <p>Belongs to its reader; a virtual thread watches until it is closed.
 */
final class StallGuard extends FilterInputStream {
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile long readNanos = System.nanoTime();
    private volatile boolean stalled;

    /** Takes {@code in}. */
    StallGuard(InputStream in, Duration limit) {
        super(in);
        Thread.ofVirtual().name("task-stall-guard").start(() -> watch(limit));
    }

    private void watch(Duration limit) {
        try {
            long left = limit.toNanos();
            while (!closed.await(left, TimeUnit.NANOSECONDS)) {
                left = limit.toNanos() - (System.nanoTime() - readNanos);
                if (left <= 0) {
                    stalled = true;
                    in.close();
                    return;
                }
            }
        } catch (InterruptedException | IOException e) {
            // its reader finds out by itself
        }
    }

    @Override
    public int read() throws IOException {
        var one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        try {
            int read = super.read(bytes, offset, length);
            if (read < 0 && stalled) {
                throw new IOException("nothing came any more");
            }
            readNanos = System.nanoTime();
            return read;
        } catch (IOException e) {
            throw stalled ? new IOException("nothing came any more", e) : e;
        }
    }

    @Override
    public void close() throws IOException {
        closed.countDown();
        super.close();
    }
}
