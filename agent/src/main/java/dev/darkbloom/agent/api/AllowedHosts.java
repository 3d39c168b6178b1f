package dev.darkbloom.agent.api;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The names by which the endpoint may be addressed.
 *
 * <p>A web page can point a name of its own at 127.0.0.1 and then read the answers as if they were its own (DNS rebinding); its requests
 * still carry that name in {@code Host}. Loopback names and addresses are allowed, the bound address, and where every interface is bound
 * any address, since an address cannot be rebound. The port is not compared: it adds nothing to this and breaks forwarded ports.
 */
final class AllowedHosts {
    private final Optional<InetAddress> bound;
    private final Set<String> names;

    private AllowedHosts(Optional<InetAddress> bound, Set<String> names) {
        this.bound = bound;
        this.names = names;
    }

    /**
     * Returns the hosts of an endpoint. Blocks while the machine's own name is looked up, which is done only where other machines can
     * reach it.
     *
     * @param bind what the owner asked to bind, a name or an address
     * @param bound what it meant
     */
    static AllowedHosts of(String bind, InetAddress bound) {
        var names = new HashSet<String>();
        names.add(bind.toLowerCase(Locale.ROOT));
        if (!bound.isLoopbackAddress()) {
            try {
                String own = InetAddress.getLocalHost().getHostName().toLowerCase(Locale.ROOT);
                names.add(own);
                names.add(own + ".local");
            } catch (UnknownHostException _) {
                // A machine without a name is asked by address.
            }
        }
        return new AllowedHosts(bound.isAnyLocalAddress() ? Optional.empty() : Optional.of(bound), Set.copyOf(names));
    }

    /** Returns whether the value of a {@code Host} header names this machine. */
    boolean allows(String host) {
        Optional<String> name = name(host);
        if (name.isEmpty()) {
            return false;
        }
        if (isLoopback(name.get()) || names.contains(name.get())) {
            return true;
        }
        InetAddress address = NetUtil.createInetAddressFromIpAddressString(name.get());
        return address != null && (bound.isEmpty() || bound.get().equals(address));
    }

    /** Returns whether a name or address, in lower case, is loopback's. */
    static boolean isLoopback(String name) {
        if (name.equals("localhost") || name.endsWith(".localhost")) {
            return true;
        }
        InetAddress address = NetUtil.createInetAddressFromIpAddressString(name);
        return address != null && address.isLoopbackAddress();
    }

    /** Returns {@code host} of {@code host[:port]} in lower case, without the brackets of IPv6; empty where it is neither. */
    static Optional<String> name(String authority) {
        String name = authority;
        String port = "";
        if (authority.startsWith("[")) {
            int end = authority.indexOf(']');
            if (end < 0) {
                return Optional.empty();
            }
            name = authority.substring(1, end);
            String rest = authority.substring(end + 1);
            if (!rest.isEmpty() && !rest.startsWith(":")) {
                return Optional.empty();
            }
            port = rest.isEmpty() ? "" : rest.substring(1);
        } else {
            int colon = authority.indexOf(':');
            if (colon >= 0) {
                name = authority.substring(0, colon);
                port = authority.substring(colon + 1);
            }
        }
        if (name.endsWith(".")) {
            name = name.substring(0, name.length() - 1);
        }
        boolean portIsNumber = port.chars().allMatch(c -> c >= '0' && c <= '9') && port.length() <= 5;
        return name.isEmpty() || !portIsNumber ? Optional.empty() : Optional.of(name.toLowerCase(Locale.ROOT));
    }
}
