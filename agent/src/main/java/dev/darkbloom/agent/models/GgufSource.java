package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A little-endian reading position in a file, through a window of {@value #WINDOW_BYTES} bytes.
 *
 * <p>Reads by position instead of mapping the file: a file that shrinks while it is read becomes an exception here, and a bus error in a
 * mapping. Owned by the thread that opened it.
 */
final class GgufSource implements AutoCloseable {
    private static final int WINDOW_BYTES = 64 * 1024;

    private final Path path;
    private final FileChannel channel;
    private final long size;
    private final ByteBuffer window = ByteBuffer.allocate(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private long windowStart;

    private GgufSource(Path path, FileChannel channel, long size) {
        this.path = path;
        this.channel = channel;
        this.size = size;
        window.limit(0);
    }

    /**
     * Opens a regular file. A pipe or a device would block or never end, so they are refused before they are opened.
     *
     * @throws AgentException {@code MODEL_MISSING} when there is no such file, {@code MODEL_INVALID} when it cannot be read
     */
    static GgufSource open(Path path) {
        try {
            if (!Files.exists(path)) {
                throw new AgentException(ErrorCode.MODEL_MISSING, "no model file " + path);
            }
            if (!Files.isRegularFile(path)) {
                throw new AgentException(ErrorCode.MODEL_INVALID, path.getFileName() + ": not a regular file");
            }
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            try {
                return new GgufSource(path, channel, channel.size());
            } catch (Throwable t) {
                channel.close();
                throw t;
            }
        } catch (NoSuchFileException e) {
            throw new AgentException(ErrorCode.MODEL_MISSING, "no model file " + path, e);
        } catch (AccessDeniedException e) {
            throw new AgentException(ErrorCode.MODEL_INVALID, path.getFileName() + ": permission to read the file is missing", e);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.MODEL_INVALID, path.getFileName() + ": cannot be opened", e);
        }
    }

    Path path() {
        return path;
    }

    /** Returns the bytes of the file when it was opened. */
    long size() {
        return size;
    }

    /** Returns the offset of the next byte. */
    long position() {
        return windowStart + window.position();
    }

    /** Returns the bytes between the position and the end. */
    long remaining() {
        return size - position();
    }

    /** Moves to {@code offset}, which lies within the file. */
    void seek(long offset) {
        long inWindow = offset - windowStart;
        if (inWindow >= 0 && inWindow <= window.limit()) {
            window.position((int) inWindow);
        } else {
            windowStart = offset;
            window.position(0).limit(0);
        }
    }

    int readInt(String what) {
        need(Integer.BYTES, what);
        return window.getInt();
    }

    long readLong(String what) {
        need(Long.BYTES, what);
        return window.getLong();
    }

    byte readByte(String what) {
        need(1, what);
        return window.get();
    }

    short readShort(String what) {
        need(Short.BYTES, what);
        return window.getShort();
    }

    /** Skips {@code bytes} bytes. */
    void skip(long bytes, String what) {
        if (bytes > remaining()) {
            throw truncated(bytes, what);
        }
        seek(position() + bytes);
    }

    /** Reads a length in front of text and checks it against the rest of the file and {@code limitBytes}. */
    int readLength(long limitBytes, String what) {
        long length = readLong(what);
        if (length < 0 || length > limitBytes) {
            throw invalid(what + " has " + Long.toUnsignedString(length) + " bytes; at most " + limitBytes + " are allowed");
        }
        if (length > remaining()) {
            throw truncated(length, what);
        }
        return (int) length;
    }

    /** Reads {@code length} bytes of UTF-8; {@code length} has been checked by {@link #readLength}. */
    String readText(int length, String what) {
        return new String(readBytes(length, what), StandardCharsets.UTF_8);
    }

    byte[] readBytes(int length, String what) {
        var bytes = new byte[length];
        int done = 0;
        while (done < length) {
            int part = Math.min(length - done, WINDOW_BYTES);
            need(part, what);
            window.get(bytes, done, part);
            done += part;
        }
        return bytes;
    }

    /** Returns an error about this file. */
    AgentException invalid(String problem) {
        return new AgentException(ErrorCode.MODEL_INVALID, path.getFileName() + ": " + problem);
    }

    private AgentException truncated(long bytes, String what) {
        return invalid("file ends at byte " + size + " within " + what + ", which needs " + bytes + " bytes from byte " + position());
    }

    private void need(int bytes, String what) {
        if (window.remaining() < bytes) {
            if (bytes > remaining()) {
                throw truncated(bytes, what);
            }
            refill(bytes, what);
        }
    }

    private void refill(int bytes, String what) {
        windowStart = position();
        window.clear();
        try {
            while (window.position() < bytes) {
                if (channel.read(window, windowStart + window.position()) < 0) {
                    window.clear().limit(0);
                    throw invalid("file became shorter than " + size + " bytes while " + what + " was read");
                }
            }
        } catch (ClosedByInterruptException e) {
            throw new AgentException(ErrorCode.CANCELLED, path.getFileName() + ": reading was interrupted", e);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.MODEL_INVALID, path.getFileName() + ": cannot be read at byte " + windowStart, e);
        }
        window.flip();
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new AgentException(ErrorCode.INTERNAL, path.getFileName() + ": cannot be closed", e);
        }
    }
}
