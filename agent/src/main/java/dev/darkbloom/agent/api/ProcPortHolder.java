package dev.darkbloom.agent.api;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Linux: the socket's inode from {@code /proc/net/tcp} and {@code tcp6}, the process from the links in {@code /proc/<pid>/fd}. Processes of
 * other users do not show theirs. Format: proc_net_tcp in the kernel's documentation.
 */
final class ProcPortHolder implements PortHolder {
    private static final String LISTEN = "0A";
    private static final int LOCAL_ADDRESS = 1;
    private static final int STATE = 3;
    private static final int INODE = 9;

    private final Path proc;

    ProcPortHolder(Path proc) {
        this.proc = proc;
    }

    static ProcPortHolder ofThisMachine() {
        return new ProcPortHolder(Path.of("/proc"));
    }

    @Override
    public Optional<Holder> find(int port) {
        var sockets = new HashSet<String>();
        for (String table : List.of("tcp", "tcp6")) {
            try {
                Files.readAllLines(proc.resolve("net").resolve(table)).forEach(line -> addListener(line, port, sockets));
            } catch (IOException _) {
                // A kernel without IPv6 has no table for it.
            }
        }
        return sockets.isEmpty() ? Optional.empty() : processWith(sockets);
    }

    private static void addListener(String line, int port, Set<String> sockets) {
        String[] fields = line.strip().split("\\s+");
        if (fields.length > INODE && fields[STATE].equals(LISTEN) && fields[LOCAL_ADDRESS].endsWith(":%04X".formatted(port))) {
            sockets.add("socket:[" + fields[INODE] + "]");
        }
    }

    private Optional<Holder> processWith(Set<String> sockets) {
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(proc, "[0-9]*")) {
            for (Path process : processes) {
                if (holdsOne(process.resolve("fd"), sockets)) {
                    return Optional.of(new Holder(Long.parseLong(process.getFileName().toString()), program(process)));
                }
            }
        } catch (IOException | DirectoryIteratorException | NumberFormatException _) {
            return Optional.empty();
        }
        return Optional.empty();
    }

    private static boolean holdsOne(Path descriptors, Set<String> sockets) {
        try (DirectoryStream<Path> links = Files.newDirectoryStream(descriptors)) {
            for (Path link : links) {
                if (sockets.contains(Files.readSymbolicLink(link).toString())) {
                    return true;
                }
            }
        } catch (IOException | DirectoryIteratorException _) {
            // Another user's process, or one that has just ended.
        }
        return false;
    }

    private static String program(Path process) {
        try {
            return Files.readString(process.resolve("comm")).strip();
        } catch (IOException _) {
            return "a program";
        }
    }
}
