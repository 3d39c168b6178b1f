package dev.darkbloom.agent.chat;

import java.lang.foreign.MemorySegment;

/** Takes everything and keeps the number of bytes. */
final class CountingSink implements ResponseSink {
    long bytes;

    @Override
    public void document(MemorySegment json) {
        bytes += json.byteSize();
    }

    @Override
    public void beginStream() {}

    @Override
    public void event(MemorySegment buffer, long size) {
        bytes += size;
    }

    @Override
    public void ping() {}

    @Override
    public void endStream() {}

    @Override
    public void endTypedStream() {}

    @Override
    public void abortStream() {}

    @Override
    public boolean isGone() {
        return false;
    }

    @Override
    public void onGone(Runnable action) {}
}
