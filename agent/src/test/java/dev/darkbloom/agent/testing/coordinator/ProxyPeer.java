package dev.darkbloom.agent.testing.coordinator;

import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A proxy on loopback that speaks HTTP {@code CONNECT} (RFC 9110, 9.3.6) or SOCKS 5 (RFC 1928, 1929), whichever a client begins with. Every
 * name that it is asked for is this machine. It asks for a login, refuses and stalls as it is told.
 */
public final class ProxyPeer implements AutoCloseable {
    private static final int SOCKS = 5;
    private static final int SOCKS_FORBIDDEN = 2;

    private final ServerSocket listener;
    private final Set<Closeable> open = ConcurrentHashMap.newKeySet();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private volatile Optional<String> login = Optional.empty();
    private volatile int refusal;
    private volatile boolean mute;

    private ProxyPeer() {
        try {
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().name("proxy-peer").start(this::accept);
    }

    /** Opens one on a free port. */
    public static ProxyPeer open() {
        return new ProxyPeer();
    }

    /** Returns its address, without a scheme. */
    public String authority() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    /** Asks for a login from now on. */
    public void askFor(String user, String password) {
        login = Optional.of(user + ":" + password);
    }

    /** Answers with an HTTP status in place of a connection; SOCKS clients hear that they are not allowed to. */
    public void refuseWith(int status) {
        refusal = status;
    }

    /** Takes connections and says nothing from now on. */
    public void fallMute() {
        mute = true;
    }

    /** Returns where clients with the right login wanted to go: {@code host:port}. */
    public List<String> asked() {
        return List.copyOf(asked);
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket client = listener.accept();
                open.add(client);
                Thread.ofVirtual().name("proxy-peer-client").start(() -> serve(client));
            } catch (IOException e) {
                return; // closed
            }
        }
    }

    private void serve(Socket client) {
        try (client) {
            var in = new DataInputStream(client.getInputStream());
            int first = in.read();
            if (mute) {
                in.transferTo(OutputStream.nullOutputStream());
            } else if (first == SOCKS) {
                socks(client, in);
            } else {
                connect(client, in, first);
            }
        } catch (IOException e) {
            // One side went away.
        } finally {
            open.remove(client);
        }
    }

    private void connect(Socket client, DataInputStream in, int first) throws IOException {
        String head = head(in, first);
        String target = head.split(" ")[1];
        String credentials = login.map(words -> Base64.getEncoder().encodeToString(words.getBytes(StandardCharsets.UTF_8))).orElse("");
        if (login.isPresent() && !head.toLowerCase().contains("proxy-authorization: basic " + credentials.toLowerCase())) {
            answer(client, "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"");
            return;
        }
        asked.add(target);
        if (refusal != 0) {
            answer(client, refusal + " No");
            return;
        }
        try (Socket server = dial(Integer.parseInt(target.substring(target.lastIndexOf(':') + 1)))) {
            client.getOutputStream().write("HTTP/1.1 200 OK\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            pump(client, server);
        }
    }

    private static String head(DataInputStream in, int first) throws IOException {
        var head = new StringBuilder().append((char) first);
        while (head.indexOf("\r\n\r\n") < 0) {
            head.append((char) in.readUnsignedByte());
        }
        return head.toString();
    }

    private static void answer(Socket client, String status) throws IOException {
        client.getOutputStream().write(("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
    }

    private void socks(Socket client, DataInputStream in) throws IOException {
        OutputStream out = client.getOutputStream();
        byte[] methods = in.readNBytes(in.readUnsignedByte());
        byte wanted = (byte) (login.isPresent() ? 2 : 0);
        boolean offered = new String(methods, StandardCharsets.ISO_8859_1).indexOf(wanted) >= 0;
        out.write(new byte[] {SOCKS, offered ? wanted : (byte) 0xFF});
        if (!offered) {
            return;
        }
        if (login.isPresent()) {
            in.readByte();
            String user = new String(in.readNBytes(in.readUnsignedByte()), StandardCharsets.UTF_8);
            String password = new String(in.readNBytes(in.readUnsignedByte()), StandardCharsets.UTF_8);
            boolean right = login.get().equals(user + ":" + password);
            out.write(new byte[] {1, (byte) (right ? 0 : 1)});
            if (!right) {
                return;
            }
        }
        in.readNBytes(4); // version, connect, reserved, a name follows
        String host = new String(in.readNBytes(in.readUnsignedByte()), StandardCharsets.US_ASCII);
        int port = in.readUnsignedShort();
        asked.add(host + ":" + port);
        out.write(new byte[] {SOCKS, (byte) (refusal == 0 ? 0 : SOCKS_FORBIDDEN), 0, 1, 127, 0, 0, 1, 0, 0});
        if (refusal == 0) {
            try (Socket server = dial(port)) {
                pump(client, server);
            }
        }
    }

    private Socket dial(int port) throws IOException {
        var server = new Socket(InetAddress.getLoopbackAddress(), port);
        open.add(server);
        return server;
    }

    /** Carries bytes both ways until either side ends. */
    private void pump(Socket client, Socket server) throws IOException {
        Thread.ofVirtual().name("proxy-peer-back").start(() -> carry(server, client));
        carry(client, server);
        open.remove(server);
    }

    private static void carry(Socket from, Socket to) {
        try (from; to; InputStream in = from.getInputStream()) {
            in.transferTo(to.getOutputStream());
        } catch (IOException e) {
            // Ended by a reset, which ends the other side as well.
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
            for (Closeable one : open) {
                one.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
