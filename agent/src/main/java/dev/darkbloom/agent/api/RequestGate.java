package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * Decides from a request's head alone what becomes of it: a pure function, in the order of {@code spec/direct-mode-api.md}, A4, with the
 * checks that keep web pages out before it.
 */
final class RequestGate {
    private final AllowedHosts hosts;
    private final AllowedOrigins origins;
    private final ApiKey key;
    private final BooleanSupplier draining;

    RequestGate(AllowedHosts hosts, AllowedOrigins origins, ApiKey key, BooleanSupplier draining) {
        this.hosts = hosts;
        this.origins = origins;
        this.key = key;
        this.draining = draining;
    }

    /** What becomes of a request. */
    sealed interface Verdict {
        /** It is answered. */
        record Serve(Route route, String id, QueryStringDecoder query) implements Verdict {}

        /** It asks what it may ask. */
        record Preflight(String allow) implements Verdict {}

        /**
         * It is turned away.
         *
         * @param route what stands in metrics
         * @param allow the value of {@code Allow} for a wrong method; otherwise empty
         */
        record Refuse(AgentException error, Optional<Route> route, String allow) implements Verdict {}
    }

    Verdict judge(HttpRequest request) {
        if (request.decoderResult().isFailure()) {
            return refuse(Refusals.unreadableHead(request.decoderResult().cause()));
        }
        String version = request.protocolVersion().text();
        if (!version.equals(HttpVersion.HTTP_1_1.text()) && !version.equals(HttpVersion.HTTP_1_0.text())) {
            return refuse(new AgentException(ErrorCode.INVALID_REQUEST, "HTTP/1.1 and HTTP/1.0 are spoken here"));
        }
        Optional<AgentException> host = hostError(request);
        if (host.isPresent()) {
            return refuse(host.get());
        }
        var query = new QueryStringDecoder(path(request.uri()));
        Optional<Route.Match> match;
        try {
            match = Route.find(query.path());
        } catch (IllegalArgumentException _) {
            return refuse(new AgentException(ErrorCode.INVALID_REQUEST, "the path has a percent sign without two hexadecimal digits"));
        }
        return judge(request, query, match);
    }

    private Verdict judge(HttpRequest request, QueryStringDecoder query, Optional<Route.Match> match) {
        Optional<Route> route = match.map(Route.Match::route);
        String method = request.method().name();
        boolean open = route.isPresent() && route.get().isOpen() && route.get().takes(method);
        String origin = request.headers().get(HttpHeaderNames.ORIGIN);
        if (origin != null && !open && !origins.allows(origin)) {
            return new Verdict.Refuse(
                    new AgentException(
                            ErrorCode.FORBIDDEN_ORIGIN, "pages of this origin may not ask; the owner can add it to local.allowed_origins"),
                    route,
                    "");
        }
        if (request.method().equals(HttpMethod.OPTIONS)) {
            return new Verdict.Preflight(route.map(Route::allow).orElse("GET, POST, OPTIONS"));
        }
        if (!open && !key.admits(request.headers())) {
            return new Verdict.Refuse(new AgentException(ErrorCode.UNAUTHORIZED, "missing or invalid API key"), route, "");
        }
        if (match.isEmpty()) {
            return refuse(new AgentException(ErrorCode.NOT_FOUND, "there is nothing at this path"));
        }
        return judgeRouted(request, query, match.get());
    }

    private Verdict judgeRouted(HttpRequest request, QueryStringDecoder query, Route.Match match) {
        Route route = match.route();
        if (!route.takes(request.method().name())) {
            return new Verdict.Refuse(
                    new AgentException(ErrorCode.METHOD_NOT_ALLOWED, route.label() + " takes " + route.allow()),
                    Optional.of(route),
                    route.allow());
        }
        Optional<AgentException> body = bodyError(request, route);
        if (body.isPresent()) {
            return new Verdict.Refuse(body.get(), Optional.of(route), "");
        }
        if (route.endpoint().isPresent() && draining.getAsBoolean()) {
            return new Verdict.Refuse(
                    new AgentException(ErrorCode.DRAINING, "the agent is stopping and takes no new requests"), Optional.of(route), "");
        }
        return new Verdict.Serve(route, match.id(), query);
    }

    private static Verdict.Refuse refuse(AgentException error) {
        return new Verdict.Refuse(error, Optional.empty(), "");
    }

    /** HTTP/1.1 has exactly one Host; a browser always sends it, so what speaks HTTP/1.0 without one is no web page. */
    private Optional<AgentException> hostError(HttpRequest request) {
        List<String> fields = request.headers().getAll(HttpHeaderNames.HOST);
        boolean needed = request.protocolVersion().equals(HttpVersion.HTTP_1_1);
        if (fields.size() > 1 || fields.isEmpty() && needed) {
            String message = "the request has " + fields.size() + " Host headers, not one";
            return Optional.of(new AgentException(ErrorCode.INVALID_REQUEST, message));
        }
        boolean allowed = fields.stream().allMatch(hosts::allows) && authority(request.uri()).stream().allMatch(hosts::allows);
        return allowed
                ? Optional.empty()
                : Optional.of(new AgentException(
                        ErrorCode.FORBIDDEN_HOST, "the Host header names another machine; ask by a loopback name or the bound address"));
    }

    private static Optional<AgentException> bodyError(HttpRequest request, Route route) {
        HttpHeaders headers = request.headers();
        String coding = headers.get(HttpHeaderNames.TRANSFER_ENCODING);
        if (coding != null && !HttpHeaderValues.CHUNKED.contentEqualsIgnoreCase(coding.strip())) {
            return Optional.of(new AgentException(ErrorCode.INVALID_REQUEST, "of transfer codings only chunked is read"));
        }
        String encoding = headers.get(HttpHeaderNames.CONTENT_ENCODING);
        if (encoding != null && !HttpHeaderValues.IDENTITY.contentEqualsIgnoreCase(encoding.strip())) {
            return Optional.of(new AgentException(ErrorCode.INVALID_REQUEST, "Content-Encoding is not read; send the body as it is"));
        }
        long length = HttpUtil.getContentLength(request, 0L);
        if (route.endpoint().isPresent() && length > route.bodyCap()) {
            return Optional.of(Refusals.tooLarge(route));
        }
        return Optional.empty();
    }

    /** Returns {@code host[:port]} of a target in absolute form, which RFC 9112, 3.2.2 has every server accept. */
    private static Optional<String> authority(String target) {
        if (!isAbsolute(target)) {
            return Optional.empty();
        }
        String rest = target.substring("http://".length());
        int end = 0;
        while (end < rest.length() && "/?#".indexOf(rest.charAt(end)) < 0) {
            end++;
        }
        return Optional.of(rest.substring(0, end));
    }

    /** Returns a target's path with its query, also of one in absolute form. */
    static String path(String target) {
        if (!isAbsolute(target)) {
            return target;
        }
        int start = target.indexOf('/', "http://".length());
        return start < 0 ? "/" : target.substring(start);
    }

    private static boolean isAbsolute(String target) {
        return target.toLowerCase(Locale.ROOT).startsWith("http://");
    }
}
