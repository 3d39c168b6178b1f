package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.Presence;
import dev.darkbloom.agent.base.RequestId;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.util.List;
import java.util.Optional;

/**
 * One request and its answer, as far as the connection is concerned. Made on the event loop; the request's thread reads it.
 *
 * @param id stands in logs, in the thread's name and in {@code X-Request-Id}
 * @param route what was asked; empty where the request was turned away before that was known
 * @param version the client's HTTP version
 * @param keepAlive whether the client wants to ask again on this connection
 * @param headOnly whether the client wants no body
 * @param origin the web origin that may read the answer
 * @param hasOrigin whether a page asks at all
 * @param startNanos when the head was read, {@link System#nanoTime}
 * @param isMessages whether the client speaks Anthropic's Messages API, so that refusals are in its words
 * @param presence whether the client is still there
 */
record Exchange(
        RequestId id,
        Optional<Route> route,
        HttpVersion version,
        boolean keepAlive,
        boolean headOnly,
        Optional<String> origin,
        boolean hasOrigin,
        long startNanos,
        boolean isMessages,
        Presence presence) {
    private static final String MESSAGES_VERSION = "anthropic-version";
    private static final List<String> MESSAGES_PATHS = List.of("/v1/messages", "/messages", "/v1/v1/");

    static Exchange of(RequestId id, Optional<Route> route, HttpRequest request, Cors cors) {
        return new Exchange(
                id,
                route,
                request.protocolVersion(),
                HttpUtil.isKeepAlive(request),
                request.method().equals(HttpMethod.HEAD),
                cors.readableBy(request.headers()),
                request.headers().contains(HttpHeaderNames.ORIGIN),
                System.nanoTime(),
                speaksMessages(route, request),
                new Presence());
    }

    /**
     * Where no route says so, or one that is of both APIs, a path that only that API has does, or the header that its clients always send.
     */
    private static boolean speaksMessages(Optional<Route> route, HttpRequest request) {
        boolean byHeader = request.headers().contains(MESSAGES_VERSION);
        return route.map(known -> known.isMessages() || known.isOfBothApis() && byHeader)
                .orElseGet(() -> byHeader || MESSAGES_PATHS.stream().anyMatch(RequestGate.path(request.uri())::startsWith));
    }

    /** Returns an exchange for a request whose head never came whole; its connection ends with the answer. */
    static Exchange unread(RequestId id) {
        return new Exchange(
                id, Optional.empty(), HttpVersion.HTTP_1_1, false, false, Optional.empty(), false, System.nanoTime(), false,
                new Presence());
    }

    /** Returns an exchange whose connection ends with the answer. */
    Exchange closing() {
        return new Exchange(id, route, version, false, headOnly, origin, hasOrigin, startNanos, isMessages, presence);
    }

    /** Returns whether an answer of unknown length can be sent in chunks; otherwise the connection's end is its end. */
    boolean takesChunks() {
        return version.equals(HttpVersion.HTTP_1_1);
    }

    /** Returns the route's name in metrics. */
    String label() {
        return route.map(Route::label).orElse("other");
    }
}
