package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.proxy.HttpProxyHandler;
import io.netty.handler.proxy.ProxyHandler;
import io.netty.handler.proxy.Socks5ProxyHandler;
import io.netty.handler.ssl.SslHandler;
import io.netty.resolver.NoopAddressResolverGroup;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;

/** The way to a coordinator: through which proxy, and proved by whom. The socket and the HTTP calls go the same one. Any thread. */
public final class CoordinatorRoute {
    private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

    private final CoordinatorAddress address;
    private final Optional<ProxyChoice> proxy;
    private final Optional<SSLContext> tls;

    private final Map<String, String> environment;
    private final Optional<Path> caFile;

    private CoordinatorRoute(CoordinatorAddress address, Map<String, String> environment, Optional<Path> caFile) {
        this.address = address;
        this.environment = Map.copyOf(environment);
        this.caFile = caFile;
        proxy = ProxyChoice.of(environment, address);
        tls = address.isTls() ? Optional.of(TrustedAuthorities.context(caFile, environment)) : Optional.empty();
    }

    /**
     * Returns the way that settings and environment describe. Connects to nothing.
     *
     * @param environment names proxies ({@link ProxyChoice}) and may name a file of authorities
     * @param caFile authorities besides the system's
     * @throws AgentException {@code CONFIG_INVALID} for a proxy that cannot be used and for a file without certificates
     */
    public static CoordinatorRoute of(CoordinatorAddress address, Map<String, String> environment, Optional<Path> caFile) {
        return new CoordinatorRoute(address, environment, caFile);
    }

    /** Returns the way to another server, by the same settings. */
    CoordinatorRoute to(CoordinatorAddress other) {
        return other.isTls() == address.isTls() && other.host().equals(address.host()) && other.port() == address.port() ? this
                : new CoordinatorRoute(other, environment, caFile);
    }

    /** Returns where it leads. */
    public CoordinatorAddress address() {
        return address;
    }

    Optional<ProxyChoice> proxy() {
        return proxy;
    }

    /**
     * Begins to connect. Looks the proxy's name up, which may block; a proxy looks the coordinator's up.
     *
     * @param bootstrap holds a loop and options; taken
     * @param limit for each of connection, proxy and TLS
     * @param rest adds what comes behind them in the pipeline
     * @throws UnknownHostException if the proxy's name is not known
     */
    ChannelFuture dial(Bootstrap bootstrap, Duration limit, Consumer<ChannelPipeline> rest) throws UnknownHostException {
        Optional<InetSocketAddress> through = Optional.empty();
        if (proxy.isPresent()) {
            through = Optional.of(new InetSocketAddress(InetAddress.getByName(proxy.get().host()), proxy.get().port()));
            bootstrap.resolver(NoopAddressResolverGroup.INSTANCE);
        }
        Optional<InetSocketAddress> at = through;
        return bootstrap.channel(NioSocketChannel.class)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, Math.toIntExact(limit.toMillis()))
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        at.ifPresent(socket -> channel.pipeline().addLast("proxy", handler(socket, proxy.get(), limit)));
                        tls.ifPresent(context -> channel.pipeline().addLast("tls", tls(context, limit)));
                        rest.accept(channel.pipeline());
                    }
                })
                .connect(InetSocketAddress.createUnresolved(address.host(), address.port()));
    }

    private static ProxyHandler handler(InetSocketAddress at, ProxyChoice choice, Duration limit) {
        String user = choice.login().map(ProxyChoice.Login::user).orElse(null);
        String password = choice.login().map(ProxyChoice.Login::password).orElse(null);
        ProxyHandler handler = switch (choice.kind()) {
            case HTTP -> user == null ? new HttpProxyHandler(at) : new HttpProxyHandler(at, user, password);
            case SOCKS5 -> user == null ? new Socks5ProxyHandler(at) : new Socks5ProxyHandler(at, user, password);
        };
        handler.setConnectTimeoutMillis(limit.toMillis());
        return handler;
    }

    private SslHandler tls(SSLContext context, Duration limit) {
        SSLEngine engine = context.createSSLEngine(address.host(), address.port());
        engine.setUseClientMode(true);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setEndpointIdentificationAlgorithm("HTTPS"); // its name, not only its authority
        engine.setSSLParameters(parameters);
        var handler = new SslHandler(engine);
        handler.setHandshakeTimeoutMillis(limit.toMillis());
        return handler;
    }
}
