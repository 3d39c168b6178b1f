package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.content.Content;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Opens the requests that were sealed to this process's key, each one once, and counts those that were not opened.
 *
 * <p>Borrows the keys. Any thread; requests that are opened at the same time do not wait for each other.
 */
public final class RequestOpener {
    private final BoxKeys keys;
    private final ReplayGuard guard;
    private final AtomicLongArray failures = new AtomicLongArray(PayloadFailure.Reason.values().length);

    public RequestOpener(BoxKeys keys, ReplayGuard guard) {
        this.keys = keys;
        this.guard = guard;
    }

    /**
     * Opens a request and appends it to {@code plain}, the only place where it is in the clear.
     *
     * @param senderKey the {@code ephemeral_public_key} of the payload
     * @param ciphertext the payload's base64; borrowed
     * @return the box for the chunks of the answer; the caller closes it when the request has ended
     * @throws PayloadFailure counted; {@code plain} is as long as before, and holds nothing of the request
     */
    public RequestBox open(String senderKey, MemorySegment ciphertext, Content plain) {
        long start = plain.length();
        RequestBox box = null;
        try {
            box = keys.boxWith(senderKey);
            long size = box.openText(ciphertext, 0, ciphertext.byteSize(), plain);
            if (!box.isNew(guard)) {
                plain.buffer().asSlice(start, size).fill((byte) 0);
                plain.truncate(start);
                throw new PayloadFailure(PayloadFailure.Reason.REPLAYED);
            }
            return box;
        } catch (Throwable t) {
            if (box != null) {
                box.close();
            }
            if (t instanceof PayloadFailure failure) {
                failures.incrementAndGet(failure.reason().ordinal());
            }
            throw t;
        }
    }

    /** Returns how many requests were not opened for {@code reason} so far. */
    public long failures(PayloadFailure.Reason reason) {
        return failures.get(reason.ordinal());
    }

    /** Returns how many requests were not opened so far. */
    public long failures() {
        long sum = 0;
        for (int i = 0; i < failures.length(); i++) {
            sum += failures.get(i);
        }
        return sum;
    }
}
