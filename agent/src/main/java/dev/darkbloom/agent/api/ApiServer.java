package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The local endpoint, listening.
 *
 * <p>Owned by {@code service}, which opens it when there are models to serve, drains it and closes it. All methods are safe on any thread
 * but the event loop's own.
 */
public final class ApiServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ApiServer.class);
    private static final String IO_THREAD = "api-io";
    private static final int BACKLOG = 128;
    private static final Duration BIND_LIMIT = Duration.ofSeconds(5);
    private static final Duration THREADS_LIMIT = Duration.ofSeconds(10);
    private static final Duration LOOP_LIMIT = Duration.ofSeconds(2);

    private final EventLoopGroup loop;
    private final ChannelGroup connections;
    private final RequestThreads threads = new RequestThreads();
    private final InFlight inFlight = new InFlight();
    private final AtomicBoolean draining = new AtomicBoolean();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final Channel listener;

    private ApiServer(ApiSettings settings, ApiServices services, InetAddress address) {
        var hosts = AllowedHosts.of(settings.bind(), address);
        var parts = ServerParts.of(settings, services, hosts, threads, inFlight, draining::get);
        loop = new MultiThreadIoEventLoopGroup(1, ApiServer::ioThread, NioIoHandler.newFactory());
        connections = new DefaultChannelGroup(loop.next());
        try {
            listener = bind(new InetSocketAddress(address, settings.port()), new ConnectionSetup(parts, connections), parts.limits().unsentBytes());
        } catch (Throwable t) {
            loop.shutdownGracefully(0, LOOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            throw t;
        }
    }

    /**
     * Opens the endpoint: when this returns, it is bound and answers.
     *
     * @throws AgentException {@code PORT_IN_USE} with the holder where it can be found, {@code CONFIG_INVALID} for an address that is not
     *     this machine's
     */
    public static ApiServer open(ApiSettings settings, ApiServices services) {
        var server = new ApiServer(settings, services, address(settings));
        log.info("local endpoint open address={} port={}", settings.bind(), server.port());
        return server;
    }

    /** Throws what {@link #open} would throw now, for a caller who has long work to do before it; opens nothing. */
    public static void check(ApiSettings settings) {
        var wanted = new InetSocketAddress(address(settings), settings.port());
        try (var probe = new ServerSocket()) {
            probe.bind(wanted);
        } catch (IOException e) {
            throw bindError(wanted, e);
        }
    }

    private static InetAddress address(ApiSettings settings) {
        try {
            return InetAddress.getByName(settings.bind());
        } catch (UnknownHostException e) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, "local.bind", "no address is known for " + settings.bind());
        }
    }

    /** Returns the port that is bound. */
    public int port() {
        return ((InetSocketAddress) listener.localAddress()).getPort();
    }

    /** Returns requests whose answer's last byte has not been written. */
    public int requestsInFlight() {
        return inFlight.count();
    }

    /**
     * Refuses new requests with 503 {@code draining}, lets those that run finish, and waits for the last byte of the last answer. Health,
     * models and metrics go on being answered until {@link #close}.
     *
     * @param limit how long to wait
     * @return whether all finished in time
     */
    public boolean drain(Duration limit) {
        draining.set(true);
        return inFlight.awaitNone(limit);
    }

    /** Closes the listener and every connection; requests that still run are cancelled and waited for. A second call does nothing. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        draining.set(true);
        listener.close().awaitUninterruptibly();
        connections.close().awaitUninterruptibly();
        if (!threads.awaitNone(THREADS_LIMIT)) {
            log.warn("requests still run after their clients are gone");
        }
        loop.shutdownGracefully(0, LOOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS).awaitUninterruptibly();
        log.info("local endpoint closed");
    }

    private Channel bind(InetSocketAddress address, ConnectionSetup setup, int unsentBytes) {
        ChannelFuture binding = new ServerBootstrap()
                .group(loop)
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(ChannelOption.ALLOCATOR, ZeroingAllocator.INSTANCE)
                // An event is a small write that must not wait for the next one.
                .childOption(ChannelOption.TCP_NODELAY, true)
                // A channel that has become writable again is how an answer learns that it may go on; see Outbox.
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(unsentBytes / 2, unsentBytes))
                .childHandler(setup)
                .bind(address);
        if (!binding.awaitUninterruptibly(BIND_LIMIT.toMillis())) {
            throw new AgentException(ErrorCode.PORT_IN_USE, named(address) + " was not bound within " + BIND_LIMIT.toSeconds() + " s");
        }
        Throwable cause = binding.cause();
        if (cause != null) {
            throw bindError(address, cause);
        }
        return binding.channel();
    }

    /** "Address already in use" is {@code EADDRINUSE}; "Cannot assign requested address" and "Permission denied" are other faults. */
    private static AgentException bindError(InetSocketAddress address, Throwable cause) {
        if (!(cause instanceof BindException) || !cause.getMessage().contains("in use")) {
            return AgentException.ofParam(
                    ErrorCode.CONFIG_INVALID, "local.bind", named(address) + " cannot be bound: " + cause.getMessage());
        }
        Optional<PortHolder.Holder> holder = PortHolder.ofThisSystem().find(address.getPort());
        String state = holder.map(found -> " is held by " + found).orElse(" is in use by another program");
        return new AgentException(ErrorCode.PORT_IN_USE, named(address) + state, cause);
    }

    private static String named(InetSocketAddress address) {
        return "port " + address.getPort() + " on " + address.getAddress().getHostAddress();
    }

    private static Thread ioThread(Runnable task) {
        var thread = new FastThreadLocalThread(task, IO_THREAD);
        thread.setDaemon(true);
        return thread;
    }
}
