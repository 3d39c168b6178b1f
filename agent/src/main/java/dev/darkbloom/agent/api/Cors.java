package dev.darkbloom.agent.api;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.util.Optional;

/**
 * The headers that let a page read an answer. The Fetch standard, CORS protocol.
 *
 * <p>An allowed origin is named back, never {@code *}: what a browser caches for one page must not serve another, hence {@code Vary}.
 */
final class Cors {
    private static final String METHODS = "GET, POST, DELETE, OPTIONS";
    private static final String DEFAULT_HEADERS = "Authorization, Content-Type";
    private static final String EXPOSED = "Retry-After, X-Request-Id, Request-Id";
    private static final String REQUEST_PRIVATE_NETWORK = "Access-Control-Request-Private-Network";
    private static final String ALLOW_PRIVATE_NETWORK = "Access-Control-Allow-Private-Network";
    private static final String PREFLIGHT_SECONDS = "600";
    private static final int MAX_ECHO = 1024;

    private final AllowedOrigins origins;

    Cors(AllowedOrigins origins) {
        this.origins = origins;
    }

    /** Returns the origin to name in the answer; empty without one, or where it may not read. */
    Optional<String> readableBy(HttpHeaders request) {
        return Optional.ofNullable(request.get(HttpHeaderNames.ORIGIN)).filter(origins::allows);
    }

    /** Adds what every answer carries. */
    static void mark(HttpHeaders response, Optional<String> origin) {
        response.add(HttpHeaderNames.VARY, HttpHeaderNames.ORIGIN);
        origin.ifPresent(allowed -> {
            response.set(HttpHeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            response.set(HttpHeaderNames.ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        });
    }

    /** Adds the answer to a preflight; headers that the page asks for are granted as asked. */
    static void grant(HttpHeaders response, HttpHeaders request) {
        response.set(HttpHeaderNames.ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        String asked = request.get(HttpHeaderNames.ACCESS_CONTROL_REQUEST_HEADERS);
        response.set(
                HttpHeaderNames.ACCESS_CONTROL_ALLOW_HEADERS,
                asked != null && !asked.isBlank() && asked.length() <= MAX_ECHO ? asked : DEFAULT_HEADERS);
        response.set(HttpHeaderNames.ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        response.add(HttpHeaderNames.VARY, HttpHeaderNames.ACCESS_CONTROL_REQUEST_HEADERS);
        if ("true".equalsIgnoreCase(request.get(REQUEST_PRIVATE_NETWORK))) {
            response.set(ALLOW_PRIVATE_NETWORK, "true");
        }
    }
}
