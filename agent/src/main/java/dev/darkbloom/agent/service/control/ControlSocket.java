package dev.darkbloom.agent.service.control;

import dev.darkbloom.agent.base.AtomicFile;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Binds and connects Unix sockets whose path may be longer than the kernel takes.
 *
 * <p>{@code sun_path} holds 104 bytes on macOS and 108 on Linux, the end included. A longer path is reached through a symbolic link to its
 * directory, in a temporary directory of our own that is gone again when the call returns: the socket itself always lies at its path.
 */
final class ControlSocket {
    private static final int MAX_PATH_BYTES = 100;

    private ControlSocket() {}

    /** Binds a new socket, mode 0600, in place of one that a dead process left. Only who holds the home's lock may call it. */
    static ServerSocketChannel bind(Path path) throws IOException {
        Files.deleteIfExists(path);
        var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            withShortPath(path, address -> server.bind(UnixDomainSocketAddress.of(address)));
            AtomicFile.restrictToOwner(path);
            return server;
        } catch (Throwable t) {
            server.close();
            throw t;
        }
    }

    static SocketChannel connect(Path path) throws IOException {
        var channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            withShortPath(path, address -> channel.connect(UnixDomainSocketAddress.of(address)));
            return channel;
        } catch (Throwable t) {
            channel.close();
            throw t;
        }
    }

    private interface AddressUse {
        void with(Path address) throws IOException;
    }

    private static void withShortPath(Path path, AddressUse use) throws IOException {
        if (path.toString().getBytes(StandardCharsets.UTF_8).length <= MAX_PATH_BYTES) {
            use.with(path);
            return;
        }
        Path own = Files.createTempDirectory("dba-");
        try {
            Path link = Files.createSymbolicLink(own.resolve("h"), path.toAbsolutePath().getParent());
            try {
                use.with(link.resolve(path.getFileName()));
            } finally {
                Files.delete(link);
            }
        } finally {
            Files.delete(own);
        }
    }
}
