package dev.darkbloom.agent.coordinator;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/** A WebSocket server that shakes hands and then reads without looking, so that a benchmark's other side costs next to nothing. */
final class SwallowingPeer implements AutoCloseable {
    private static final String MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
    private static final int BUFFER = 64 << 10;

    private final ServerSocket listener;
    private final Thread thread;

    SwallowingPeer() {
        try {
            listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        thread = Thread.ofPlatform().daemon().name("swallowing-peer").start(this::serve);
    }

    String url() {
        return "ws://127.0.0.1:" + listener.getLocalPort() + "/ws/provider";
    }

    private void serve() {
        try (Socket socket = listener.accept(); InputStream in = socket.getInputStream()) {
            socket.getOutputStream().write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: " + accept(key(in)) + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            var buffer = new byte[BUFFER];
            while (in.read(buffer) >= 0) {
                // what comes is of no interest
            }
        } catch (IOException e) {
            // closed by either side
        }
    }

    private static String key(InputStream in) throws IOException {
        var head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0) {
                throw new IOException("ended during the handshake");
            }
            head.append((char) next);
        }
        return head.toString().lines().filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("sec-websocket-key:")).findFirst()
                .orElseThrow(() -> new IOException("no key")).substring("sec-websocket-key:".length()).strip();
    }

    private static String accept(String key) {
        try {
            return Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-1").digest((key + MAGIC).getBytes(StandardCharsets.US_ASCII)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-1", e);
        }
    }

    @Override
    public void close() throws IOException, InterruptedException {
        listener.close();
        thread.join();
    }
}
