package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.net.URI;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Which proxy leads to an address, as the environment says it to every other program: {@code HTTPS_PROXY} for {@code wss}, {@code HTTP_PROXY} for
 * {@code ws}, {@code ALL_PROXY} for both, {@code NO_PROXY} for hosts that are reached without one; in small letters, too, which win.
 *
 * @param kind how it is spoken to
 * @param host its name or address
 * @param port its port
 * @param login what it asks for; empty for nothing
 */
record ProxyChoice(Kind kind, String host, int port, Optional<Login> login) {
    /** How a proxy is spoken to. */
    enum Kind {
        /** HTTP {@code CONNECT} (RFC 9110, 9.3.6). */
        HTTP,
        /** SOCKS 5 (RFC 1928), names resolved by the proxy. */
        SOCKS5
    }

    /** What a proxy wants to know. The password does not appear in {@link #toString}. */
    record Login(String user, String password) {
        @Override
        public String toString() {
            return "Login[" + user + "]";
        }
    }

    /**
     * Returns the proxy for {@code address}; empty where it is reached without one, as this machine always is.
     *
     * @throws AgentException {@code CONFIG_INVALID} where one is named that cannot be used: to go past it would be worse than not to go
     */
    static Optional<ProxyChoice> of(Map<String, String> environment, CoordinatorAddress address) {
        if (address.isLoopback() || isExcluded(variable(environment, "no_proxy"), address.host(), address.port())) {
            return Optional.empty();
        }
        String name = address.isTls() ? "https_proxy" : "http_proxy";
        if (variable(environment, name).isEmpty()) {
            name = "all_proxy";
        }
        String value = variable(environment, name);
        return value.isEmpty() ? Optional.empty() : Optional.of(parse(name.toUpperCase(Locale.ROOT), value));
    }

    private static String variable(Map<String, String> environment, String name) {
        String small = environment.getOrDefault(name, "").strip();
        return small.isEmpty() ? environment.getOrDefault(name.toUpperCase(Locale.ROOT), "").strip() : small;
    }

    /** Entries are {@code *}, hosts, domains with or without a leading dot, each with or without a port. */
    private static boolean isExcluded(String list, String host, int port) {
        String wanted = host.toLowerCase(Locale.ROOT);
        for (String part : list.split("[,\\s]+")) {
            String entry = part.toLowerCase(Locale.ROOT);
            int colon = entry.lastIndexOf(':');
            if (colon > 0 && entry.indexOf(':') == colon) {
                if (!entry.substring(colon + 1).equals(Integer.toString(port))) {
                    continue;
                }
                entry = entry.substring(0, colon);
            }
            String domain = entry.startsWith("*.") ? entry.substring(1) : entry;
            if (domain.equals("*") || wanted.equals(domain) || !domain.isEmpty()
                    && wanted.endsWith(domain.startsWith(".") ? domain : "." + domain)) {
                return true;
            }
        }
        return false;
    }

    private static ProxyChoice parse(String variable, String value) {
        URI uri;
        try {
            uri = URI.create(value.contains("://") ? value : "http://" + value);
        } catch (IllegalArgumentException e) {
            throw unusable(variable, "is no address");
        }
        if (uri.getHost() == null) {
            throw unusable(variable, "names no host");
        }
        Kind kind = switch (uri.getScheme().toLowerCase(Locale.ROOT)) {
            case "http" -> Kind.HTTP;
            case "socks", "socks5", "socks5h" -> Kind.SOCKS5;
            default -> throw unusable(variable, "names a proxy of a kind that is not spoken here; http://, socks5:// and socks5h:// are");
        };
        int port = uri.getPort() >= 0 ? uri.getPort() : kind == Kind.HTTP ? 80 : 1080;
        Optional<Login> login = Optional.ofNullable(uri.getUserInfo()).map(info -> {
            int colon = info.indexOf(':');
            return colon < 0 ? new Login(info, "") : new Login(info.substring(0, colon), info.substring(colon + 1));
        });
        return new ProxyChoice(kind, uri.getHost(), port, login);
    }

    /** The value is not quoted: it may hold a password. */
    private static AgentException unusable(String variable, String what) {
        return AgentException.ofParam(ErrorCode.CONFIG_INVALID, variable, "the environment's " + variable + " " + what);
    }

    /** Returns host and port, for logs and {@code status}. */
    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT) + "://" + host + ":" + port;
    }
}
