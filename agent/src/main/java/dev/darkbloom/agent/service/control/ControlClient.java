package dev.darkbloom.agent.service.control;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentHome;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.function.IntConsumer;

/** Asks a running agent. One thread at a time; a connection that has broken is not mended, open a new one. */
public final class ControlClient implements AutoCloseable {
    private final SocketChannel channel;
    private final BufferedReader reader;

    private ControlClient(SocketChannel channel) {
        this.channel = channel;
        this.reader = new BufferedReader(new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
    }

    /** Connects to the agent of {@code home}; empty when none is running. */
    public static Optional<ControlClient> connect(AgentHome home) {
        try {
            return Optional.of(new ControlClient(ControlSocket.connect(home.controlSocket())));
        } catch (IOException _) {
            // No socket, or one that a dead process left: both mean that nobody answers.
            return Optional.empty();
        }
    }

    /** Returns how the agent stands. */
    public StatusReport status() {
        return report(new ControlRequest.Status());
    }

    /**
     * Has the agent calibrate a model anew, and returns how it stands afterwards. Takes as long as running requests and a load of the model.
     *
     * @throws AgentException {@code INVALID_REQUEST} with the agent's reason when it will not
     */
    public StatusReport calibrate(String model) {
        return report(new ControlRequest.Calibrate(model));
    }

    /** Has the agent register anew, with the account that the token's file names now; returns how it stood when it began to. */
    public StatusReport reregister() {
        return report(new ControlRequest.Reregister());
    }

    private StatusReport report(ControlRequest request) {
        return switch (ask(request)) {
            case ControlReply.Status(StatusReport report) -> report;
            case ControlReply.Refused(String message) -> throw new AgentException(ErrorCode.INVALID_REQUEST, message);
            case ControlReply.Draining _ -> throw new AgentException(ErrorCode.INTERNAL, "the agent answered a question that was not asked");
        };
    }

    /**
     * Tells the agent to end and waits until it has closed its side.
     *
     * @param timeout what running requests are given to finish
     * @param news hears how many requests still run or wait, now and then
     */
    public void stop(Duration timeout, IntConsumer news) {
        send(new ControlRequest.Stop(Math.toIntExact(timeout.toSeconds())));
        for (Optional<ControlReply> reply = receive(); reply.isPresent(); reply = receive()) {
            switch (reply.get()) {
                case ControlReply.Draining(int requests) -> news.accept(requests);
                case ControlReply.Refused(String message) -> throw new AgentException(ErrorCode.INVALID_REQUEST, message);
                case ControlReply.Status _ -> { }
            }
        }
    }

    private ControlReply ask(ControlRequest request) {
        send(request);
        return receive().orElseThrow(() -> new AgentException(ErrorCode.NOT_RUNNING, "the agent ended while it was asked"));
    }

    private void send(ControlRequest request) {
        try {
            var bytes = ByteBuffer.wrap((ControlCodec.line(request) + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw new AgentException(ErrorCode.NOT_RUNNING, "the agent ended while it was asked", e);
        }
    }

    /** Returns the next line; empty when the agent has closed the connection or is gone. */
    private Optional<ControlReply> receive() {
        String line;
        try {
            line = reader.readLine();
        } catch (IOException _) {
            return Optional.empty();
        }
        try {
            return line == null ? Optional.empty() : Optional.of(ControlCodec.reply(line));
        } catch (IOException e) {
            throw new AgentException(ErrorCode.INTERNAL, e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new AgentException(ErrorCode.INTERNAL, "cannot close the control connection", e);
        }
    }
}
