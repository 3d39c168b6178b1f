package dev.darkbloom.agent.testing.coordinator;

import io.netty.handler.ssl.SslContext;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A coordinator of April 2026 on loopback, as the protocol's page describes it: it refuses what the real one refuses, writes down everything that
 * an agent must not do ({@link #violations}), and breaks in every way a test asks for.
 *
 * <p>It reads JSON by itself and not by the agent's own codec. What one agent says and is told is {@link Node}'s.
 */
public final class FakeCoordinator implements AutoCloseable {
    private WebSocketPeer peer;
    private final Violations violations = new Violations();
    private final BlockingQueue<Node> nodes = new LinkedBlockingQueue<>();
    private final Map<String, Node> bySerial = new ConcurrentHashMap<>();
    private volatile boolean closed;

    private FakeCoordinator(WebSocketPeer peer) {
        this.peer = peer;
        acceptFrom(peer);
    }

    /** Opens one on a free port. */
    public static FakeCoordinator open() {
        return new FakeCoordinator(WebSocketPeer.open());
    }

    /** Opens one that speaks TLS. It cannot be restarted. */
    public static FakeCoordinator open(SslContext tls) {
        return new FakeCoordinator(WebSocketPeer.open(tls));
    }

    private void acceptFrom(WebSocketPeer server) {
        Thread.ofVirtual().name("fake-coordinator").start(() -> {
            while (!closed) {
                server.accept(200).ifPresent(connection -> {
                    var node = new Node(connection, violations, nodes::add, this::registered);
                    Thread.ofVirtual().name("fake-coordinator-connection").start(node::read);
                });
            }
        });
    }

    /** As the real one's {@code DisconnectDuplicatesBySerial}: the newest connection of a machine stays. */
    private void registered(Node node) {
        String serial = node.registration().path("attestation").path("attestation").path("serialNumber").asText();
        if (!serial.isEmpty()) {
            Node before = bySerial.put(serial, node);
            if (before != null && before.connection().isOpen()) {
                before.connection().close(1000, "replaced by new connection from same device");
            }
        }
    }

    /** Returns the address as an agent is told it. */
    public String url() {
        return peer.url();
    }

    public WebSocketPeer peer() {
        return peer;
    }

    /** Ends like a process that is killed, and begins again at the same port. */
    public void restart() {
        int port = peer.port();
        peer.close();
        peer = WebSocketPeer.openAt(port);
        acceptFrom(peer);
    }

    /** Returns what agents have done that no coordinator accepts. */
    public List<String> violations() {
        return violations.all();
    }

    /** Waits for an agent that has registered and answered its first challenge. */
    public Node awaitNode() {
        return Waits.take(nodes, "no agent became routable");
    }

    /** Returns the next agent if one becomes routable within {@code millis}. */
    public Optional<Node> awaitNode(long millis) {
        try {
            return Optional.ofNullable(nodes.poll(millis, TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        closed = true;
        peer.close();
    }
}
