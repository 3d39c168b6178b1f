package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.Locale;

/**
 * Where a coordinator is.
 *
 * @param socket {@code ws://} or {@code wss://} with a host, as the handshake asks for it
 */
public record CoordinatorAddress(URI socket) {
    /** Path of the provider socket; what an address without a path means. */
    static final String PATH = "/ws/provider";

    /**
     * Returns the address that a person wrote: {@code wss://host/ws/provider}, or without the path, or as the {@code https://} address of the
     * coordinator's API, with or without {@code /v1}.
     *
     * @throws AgentException {@code CONFIG_INVALID}, naming {@code coordinator.url}
     */
    public static CoordinatorAddress parse(String text) {
        URI uri;
        try {
            uri = new URI(text.strip());
        } catch (URISyntaxException e) {
            throw invalid("is not an address: " + e.getReason());
        }
        if (uri.getScheme() == null || uri.getHost() == null) {
            throw invalid("needs a scheme and a host, as in wss://coordinator.example/ws/provider");
        }
        if (uri.getRawUserInfo() != null || uri.getRawQuery() != null || uri.getRawFragment() != null) {
            throw invalid("takes no user, query or fragment");
        }
        String scheme = switch (uri.getScheme().toLowerCase(Locale.ROOT)) {
            case "ws", "http" -> "ws";
            case "wss", "https" -> "wss";
            default -> throw invalid("begins with ws:// or wss://");
        };
        String path = uri.getRawPath() == null ? "" : uri.getRawPath().replaceAll("/+$", "");
        if (path.isEmpty() || path.equals("/v1")) {
            path = PATH;
        }
        return new CoordinatorAddress(URI.create(scheme + "://" + uri.getRawAuthority() + path));
    }

    /** Returns the address of the server that an {@code http} or {@code https} address leads to. */
    static CoordinatorAddress of(URI http) {
        return parse(http.getScheme() + "://" + http.getRawAuthority());
    }

    private static AgentException invalid(String what) {
        return AgentException.ofParam(ErrorCode.CONFIG_INVALID, "coordinator.url", "the coordinator's address " + what);
    }

    /** Returns whether the connection is encrypted on its way. */
    public boolean isTls() {
        return socket.getScheme().equals("wss");
    }

    /** Returns whether what is sent there can be read on its way: it is not encrypted, and leaves this machine. */
    public boolean isReadableOnTheWay() {
        return !isTls() && !isLoopback();
    }

    /** Returns whether both lead to one coordinator in one way, however they are written. */
    public boolean isSame(CoordinatorAddress other) {
        return isTls() == other.isTls() && host().equalsIgnoreCase(other.host()) && port() == other.port()
                && socket.getRawPath().equals(other.socket.getRawPath());
    }

    /** Returns the host as it stands in the address. */
    public String host() {
        String host = socket.getHost();
        return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    }

    /** Returns the port, the scheme's own where none is named. */
    public int port() {
        if (socket.getPort() >= 0) {
            return socket.getPort();
        }
        return isTls() ? 443 : 80;
    }

    /**
     * Returns the address of the coordinator's HTTP API: the socket's without its path's end.
     *
     * @param path begins with a slash
     */
    public URI http(String path) {
        String base = socket.getRawPath();
        if (base.endsWith(PATH)) {
            base = base.substring(0, base.length() - PATH.length());
        }
        return URI.create((isTls() ? "https" : "http") + "://" + socket.getRawAuthority() + base + path);
    }

    /** Returns whether the host is this machine, by its name or its literal address; asks no name server for others. */
    public boolean isLoopback() {
        String host = host().toLowerCase(Locale.ROOT);
        if (host.equals("localhost") || host.endsWith(".localhost")) {
            return true;
        }
        boolean literal = host.indexOf(':') >= 0 || host.chars().allMatch(c -> c == '.' || c >= '0' && c <= '9');
        if (!literal) {
            return false;
        }
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }

    @Override
    public String toString() {
        return socket.toString();
    }
}
