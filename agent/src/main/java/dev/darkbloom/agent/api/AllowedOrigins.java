package dev.darkbloom.agent.api;

import java.net.URI;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The web pages that may ask: those served from this machine and those the owner named.
 *
 * <p>A browser lets any page send simple requests anywhere and only hides the answers; what matters here is that such a request costs the
 * machine work. So an origin that is not allowed is refused before anything runs.
 */
final class AllowedOrigins {
    private static final String ANY = "*";

    private final Set<String> named;

    AllowedOrigins(Set<String> named) {
        this.named = named.stream().map(origin -> origin.toLowerCase(Locale.ROOT)).collect(Collectors.toUnmodifiableSet());
    }

    /** Returns whether the value of an {@code Origin} header may ask. {@code null}, which files and sandboxes send, may if it is named. */
    boolean allows(String origin) {
        String lower = origin.toLowerCase(Locale.ROOT);
        return named.contains(ANY) || named.contains(lower) || isLoopback(lower);
    }

    private static boolean isLoopback(String origin) {
        String authority;
        if (origin.startsWith("http://")) {
            authority = origin.substring("http://".length());
        } else if (origin.startsWith("https://")) {
            authority = origin.substring("https://".length());
        } else {
            return false;
        }
        try {
            URI uri = URI.create(origin);
            return uri.getUserInfo() == null && AllowedHosts.name(authority).filter(AllowedHosts::isLoopback).isPresent();
        } catch (IllegalArgumentException _) {
            return false;
        }
    }
}
