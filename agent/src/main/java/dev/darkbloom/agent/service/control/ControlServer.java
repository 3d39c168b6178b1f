package dev.darkbloom.agent.service.control;

import dev.darkbloom.agent.base.AgentException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers the command line from inside the running agent. Owns the socket and its connections; {@link #close} ends them all. */
public final class ControlServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlServer.class);
    private static final int MAX_LINE_CHARS = 64 << 10;
    private static final int MAX_CONNECTIONS = 64;

    /** What the agent does when it is asked; any thread. */
    public interface Handler {
        StatusReport status();

        /** Begins to end the agent and returns at once. {@code timeout} is what running requests are given. */
        void stop(Duration timeout);

        /**
         * Measures a model's settings anew and returns when it serves with them; requests that come meanwhile wait.
         *
         * @throws AgentException why that cannot be
         */
        void calibrate(String model) throws InterruptedException;

        /** Has the coordinator told of the account anew, if there is a coordinator; returns at once. What runs through it is lost there. */
        void reregister();

        /** Returns the requests that run or wait. */
        int requestsInFlight();

        /** Waits until the agent is about to close its parts, at most {@code patience}; returns whether it is. */
        boolean awaitClosing(Duration patience) throws InterruptedException;
    }

    private static final Duration DRAIN_NEWS = Duration.ofMillis(500);

    private final Path path;
    private final ServerSocketChannel server;
    private final Handler handler;
    private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();
    private final AtomicInteger connectionCount = new AtomicInteger();

    private ControlServer(Path path, ServerSocketChannel server, Handler handler) {
        this.path = path;
        this.server = server;
        this.handler = handler;
    }

    /** Opens the socket at {@code path} and begins to answer. The caller holds the home's lock, so what lies there is left over. */
    public static ControlServer open(Path path, Handler handler) {
        try {
            var control = new ControlServer(path, ControlSocket.bind(path), handler);
            Thread.ofVirtual().name("control").start(control::accept);
            return control;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot open the control socket " + path, e);
        }
    }

    private void accept() {
        while (server.isOpen()) {
            try {
                SocketChannel connection = server.accept();
                connections.add(connection);
                Thread.ofVirtual().name("control-" + connectionCount.incrementAndGet()).start(() -> serve(connection));
            } catch (ClosedChannelException _) {
                return;
            } catch (IOException e) {
                LOG.warn("control connection not accepted reason={}", e.getMessage());
            }
        }
    }

    private void serve(SocketChannel connection) {
        try (connection;
                var reader = new BufferedReader(new InputStreamReader(Channels.newInputStream(connection), StandardCharsets.UTF_8));
                var writer = new OutputStreamWriter(Channels.newOutputStream(connection), StandardCharsets.UTF_8)) {
            if (connections.size() > MAX_CONNECTIONS) {
                send(writer, new ControlReply.Refused("more than " + MAX_CONNECTIONS + " connections"));
                return;
            }
            for (String line = readLine(reader); line != null; line = readLine(reader)) {
                ControlRequest request = ControlCodec.request(line);
                try {
                    answer(request, writer);
                } catch (AgentException e) {
                    send(writer, new ControlReply.Refused(e.getMessage()));
                } catch (RuntimeException e) {
                    // A defect of one answer: whoever asks is told, and what else is asked is answered.
                    LOG.error("a control request failed by a defect", e);
                    send(writer, new ControlReply.Refused("the agent could not answer: " + e.getClass().getSimpleName() + "; its log says more"));
                }
            }
        } catch (IOException e) {
            // The other side went away, or sent what is no line of ours; there is nobody to tell.
            LOG.debug("control connection ended reason={}", e.getMessage());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            connections.remove(connection);
        }
    }

    private void answer(ControlRequest request, Writer writer) throws IOException, InterruptedException {
        switch (request) {
            case ControlRequest.Status() -> send(writer, new ControlReply.Status(handler.status()));
            case ControlRequest.Stop stop -> {
                handler.stop(stop.timeout());
                do {
                    send(writer, new ControlReply.Draining(handler.requestsInFlight()));
                } while (!handler.awaitClosing(DRAIN_NEWS));
            }
            case ControlRequest.Calibrate(String model) -> {
                handler.calibrate(model);
                send(writer, new ControlReply.Status(handler.status()));
            }
            case ControlRequest.Reregister() -> {
                handler.reregister();
                send(writer, new ControlReply.Status(handler.status()));
            }
            case ControlRequest.Unknown(String type) ->
                    send(writer, new ControlReply.Refused("this agent does not know \"" + type + "\"; it is older than the command line"));
        }
    }

    private static void send(Writer writer, ControlReply reply) throws IOException {
        writer.write(ControlCodec.line(reply));
        writer.write('\n');
        writer.flush();
    }

    private static String readLine(BufferedReader reader) throws IOException {
        var line = new StringBuilder();
        for (int c = reader.read(); c != '\n'; c = reader.read()) {
            if (c < 0) {
                return null;
            }
            if (line.length() == MAX_LINE_CHARS) {
                throw new IOException("a line of more than " + MAX_LINE_CHARS + " characters");
            }
            line.append((char) c);
        }
        return line.toString();
    }

    @Override
    public void close() {
        try {
            server.close();
            for (SocketChannel connection : connections) {
                connection.close();
            }
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close the control socket " + path, e);
        }
    }
}
