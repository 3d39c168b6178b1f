package dev.darkbloom.agent.service;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentHome;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One running agent per home, by a kernel lock on {@code agent.lock}. The kernel gives it back when the process ends, however it ends, so
 * there is no stale lock; the process id inside is for messages.
 */
final class HomeLock implements AutoCloseable {
    /**
     * Homes that this process holds. Looked at first: a POSIX lock belongs to the process, and closing any other channel on the file would
     * give it back.
     */
    private static final Set<Path> HELD_HERE = ConcurrentHashMap.newKeySet();

    private final Path file;
    private final FileChannel channel;

    private HomeLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Takes the lock.
     *
     * @throws AgentException {@code ALREADY_RUNNING} with the process that holds it
     */
    static HomeLock acquire(AgentHome home) {
        Path file = home.lock();
        if (!HELD_HERE.add(file)) {
            throw alreadyRunning(home, ProcessHandle.current().pid());
        }
        try {
            var channel = FileChannel.open(file, Set.of(CREATE, READ, WRITE), AtomicFile.ownerFile());
            try {
                if (channel.tryLock() == null) {
                    throw alreadyRunning(home, pidIn(file).orElse(0));
                }
                channel.truncate(0);
                channel.write(ByteBuffer.wrap((ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.US_ASCII)));
                return new HomeLock(file, channel);
            } catch (Throwable t) {
                channel.close();
                throw t;
            }
        } catch (IOException e) {
            HELD_HERE.remove(file);
            throw new UncheckedIOException("cannot lock " + file, e);
        } catch (Throwable t) {
            HELD_HERE.remove(file);
            throw t;
        }
    }

    private static AgentException alreadyRunning(AgentHome home, long pid) {
        String process = pid == 0 ? "" : " (process " + pid + ")";
        return new AgentException(ErrorCode.ALREADY_RUNNING, "an agent with the home " + home.root() + " is running" + process);
    }

    /** Returns the process that holds the lock of {@code home}; empty when nobody does. */
    static OptionalLong holder(AgentHome home) {
        Path file = home.lock();
        if (HELD_HERE.contains(file)) {
            return OptionalLong.of(ProcessHandle.current().pid());
        }
        if (!Files.exists(file)) {
            return OptionalLong.empty();
        }
        try (var channel = FileChannel.open(file, READ, WRITE); var lock = channel.tryLock()) {
            return lock == null ? pidIn(file) : OptionalLong.empty();
        } catch (IOException _) {
            return OptionalLong.empty();
        }
    }

    private static OptionalLong pidIn(Path file) {
        try {
            return OptionalLong.of(Long.parseLong(Files.readString(file).strip()));
        } catch (IOException | NumberFormatException _) {
            return OptionalLong.empty();
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot unlock " + file, e);
        } finally {
            HELD_HERE.remove(file);
        }
    }
}
